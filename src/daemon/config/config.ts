import fs from 'node:fs';
import { Exit } from '../../../protocol/constants.js';
import { RsyncError } from '../../../protocol/errors.js';
import type { ByteString } from '../../../protocol/options.js';
import { type Env, expandVars, statements } from './lex.js';
import {
  defaultGlobal,
  defaultModule,
  findParam,
  type GlobalConfig,
  MODULE_PARAMS,
  type ModuleConfig,
  type ParamKind,
  parseValue,
} from './params.js';

export type { GlobalConfig, ModuleConfig } from './params.js';

/** A place in a configuration file, for messages. */
export interface Place {
  file: ByteString;
  line: number;
}

export interface Module {
  name: ByteString;
  config: ModuleConfig;
  /** Where its section begins. */
  place: Place;
}

/** A whole configuration. */
export interface DaemonConfig {
  global: GlobalConfig;
  /** Module parameters of the global part, as they stand at its end: they hold where no module is chosen yet. */
  defaults: ModuleConfig;
  modules: Module[];
  /** What is to be told at start: unknown parameters, values without a meaning, modules without a path. */
  notices: ByteString[];
  /** Files and directories that were read, with what tells that one has changed. */
  sources: Map<ByteString, string>;
}

/** Files and directives may be nested this deep: a file that includes itself ends in an error. */
const MAX_DEPTH = 32;

const NO_PROXY_TRUSTED =
  '"proxy protocol = true" but "proxy protocol hosts" is unset: all connections will be rejected as untrusted proxy peers.  ' +
  'Set "proxy protocol hosts" to your trusted proxy\'s address.';

/** Kinds of values whose variables are replaced when they are used. */
const EXPANDED_LATE: ReadonlySet<ParamKind> = new Set<ParamKind>(['string', 'path', 'command']);

/** Identifies a version of a file or directory, '' when it is not there. */
function fingerprint(path: ByteString): string {
  const st = fs.statSync(Buffer.from(path, 'latin1'), { bigint: true, throwIfNoEntry: false });
  return st === undefined ? '' : `${st.dev}:${st.ino}:${st.size}:${st.mtimeNs}:${st.ctimeNs}`;
}

/** Reads statements into a configuration; one object per load. */
class Loader {
  private global = defaultGlobal();
  private defaults = defaultModule();
  private readonly modules: Module[] = [];
  private current: Module | null = null;
  private readonly notices: ByteString[] = [];
  private readonly sources = new Map<ByteString, string>();
  private sawSection = false;

  constructor(
    private readonly dparams: readonly ByteString[],
    private readonly env: Env,
  ) {}

  private told(place: Place | null, text: ByteString): void {
    this.notices.push(place === null ? text : `${text} (${place.file}:${place.line})`);
  }

  /** Reads one file. Errors: exit code 1 when it cannot be read or its syntax is broken. */
  file(path: ByteString, depth: number): void {
    if (depth > MAX_DEPTH) throw new RsyncError(Exit.SYNTAX, `config files are nested too deep: ${path}`);
    this.sources.set(path, fingerprint(path));
    let content: ByteString;
    try {
      content = fs.readFileSync(Buffer.from(path, 'latin1')).toString('latin1');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new RsyncError(Exit.SYNTAX, `unable to open config file "${path}": ${code}`);
    }
    this.content(content, path, depth);
  }

  content(content: ByteString, path: ByteString, depth: number): void {
    for (const statement of statements(content)) {
      const place = { file: path, line: statement.line };
      if (statement.kind === 'section') this.section(statement.name, place);
      else if (statement.kind === 'parameter') this.parameter(statement.name, statement.value, place);
      else if (statement.kind === 'directive') this.directive(statement.name, statement.value, place, depth);
      else if (statement.fatal) throw new RsyncError(Exit.SYNTAX, `${statement.text} (${path}:${place.line})`);
      else this.told(place, statement.text);
    }
  }

  private section(name: ByteString, place: Place): void {
    if (name.replaceAll(' ', '').toLowerCase() === 'global') {
      this.current = null;
      return;
    }
    if (name.includes('/')) {
      throw new RsyncError(
        Exit.SYNTAX,
        `invalid section name in configuration file: ${name} (${place.file}:${place.line})`,
      );
    }
    if (!this.sawSection) this.overrides();
    const plain = name.replaceAll(' ', '').toLowerCase();
    let module = this.modules.find((m) => m.name.replaceAll(' ', '').toLowerCase() === plain);
    if (module === undefined) {
      module = { name, config: { ...this.defaults, name }, place };
      this.modules.push(module);
    }
    this.current = module;
  }

  /** --dparam settings take effect where the global part ends. */
  private overrides(): void {
    this.sawSection = true;
    for (const item of this.dparams) {
      const equals = item.indexOf('=');
      this.parameter(item.slice(0, equals), item.slice(equals + 1).trimStart(), null);
    }
  }

  private parameter(name: ByteString, value: ByteString, place: Place | null): void {
    const entry = findParam(name);
    if (entry === null) {
      this.told(place, `Unknown Parameter encountered: "${name}"`);
      this.told(place, `IGNORING unknown parameter "${name}"`);
      return;
    }
    if (entry.scope === 'global' && this.current !== null) {
      this.told(place, `Global parameter ${name} found in module section!`);
      return;
    }
    const { kind } = entry.param;
    const text = EXPANDED_LATE.has(kind) ? value : expandVars(value, this.env);
    const parsed = parseValue(kind, text);
    if (parsed === undefined) {
      this.told(place, kind === 'facility' ? `Unknown syslog facility: "${value}"` : badBoolean(value));
      return;
    }
    const target = entry.scope === 'global' ? this.global : (this.current?.config ?? this.defaults);
    (target as unknown as Record<string, unknown>)[entry.key] = parsed;
  }

  private directive(name: ByteString, value: ByteString, place: Place, depth: number): void {
    const include = name === '&include';
    if (!include && name !== '&merge') {
      throw new RsyncError(Exit.SYNTAX, `Unknown directive: ${name}. (${place.file}:${place.line})`);
    }
    const files = this.listed(value, include ? '.conf' : '.inc', place);
    const saved = { global: { ...this.global }, defaults: { ...this.defaults }, current: this.current };
    for (const file of files) {
      if (include) {
        // Each included file starts from the settings of the place that includes it, and changes none of them.
        this.global = { ...saved.global };
        this.defaults = { ...saved.defaults };
        this.current = null;
      }
      this.file(file, depth + 1);
    }
    if (include) {
      this.global = saved.global;
      this.defaults = saved.defaults;
      this.current = null;
    }
  }

  /** The files that a directive means: one file, or those of a directory in the order of their names. */
  private listed(path: ByteString, ending: string, place: Place): ByteString[] {
    const at = Buffer.from(path, 'latin1');
    const st = fs.statSync(at, { throwIfNoEntry: false });
    if (st === undefined) {
      throw new RsyncError(Exit.SYNTAX, `unable to stat config file "${path}" (${place.file}:${place.line})`);
    }
    if (!st.isDirectory()) return [path];
    this.sources.set(path, fingerprint(path));
    const names = fs.readdirSync(at, { encoding: 'latin1' }).filter((n) => n.endsWith(ending));
    return names.sort((a, b) => (a < b ? -1 : 1)).map((n) => `${path.replace(/\/+$/, '')}/${n}`);
  }

  finish(): DaemonConfig {
    this.current = null;
    if (!this.sawSection) this.overrides();
    if (this.global.proxyProtocol && this.global.proxyProtocolHosts === '') this.told(null, NO_PROXY_TRUSTED);
    const root = expandVars(this.global.daemonChroot, this.env);
    for (const { name, config, place } of this.modules) {
      if (config.path === '') this.told(place, `No path specified for module ${name}`);
      else if (!config.path.includes('%') && fingerprint(root + config.path.replace('/./', '/')) === '') {
        this.told(place, `path "${config.path}" of module ${name} does not exist`);
      }
    }
    const { global, defaults, modules, notices, sources } = this;
    return { global, defaults, modules, notices, sources };
  }
}

function badBoolean(value: ByteString): ByteString {
  return `Badly formed boolean in configuration file: "${value}".`;
}

/**
 * Reads rsyncd.conf with everything it includes. `dparams` are the NAME=VALUE words of --dparam.
 * Errors: exit code 1 when a file cannot be read or its syntax is broken.
 */
export function loadConfig(path: ByteString, dparams: readonly ByteString[], env: Env): DaemonConfig {
  const loader = new Loader(dparams, env);
  loader.file(path, 0);
  return loader.finish();
}

/** The same from text that is in memory; `name` stands for the file in messages. */
export function parseConfig(
  text: ByteString,
  name: ByteString,
  dparams: readonly ByteString[],
  env: Env,
): DaemonConfig {
  const loader = new Loader(dparams, env);
  loader.content(text, name, 0);
  return loader.finish();
}

/** Checks the --dparam words before anything else happens, as the option parser must. Errors: exit code 1. */
export function checkDparams(dparams: readonly ByteString[]): void {
  for (const item of dparams) {
    const equals = item.indexOf('=');
    if (equals < 0) throw new RsyncError(Exit.SYNTAX, `--dparam value is missing an '=': ${item}`);
    if (findParam(item.slice(0, equals)) === null) {
      throw new RsyncError(Exit.SYNTAX, `Unknown parameter "${item.slice(0, equals)}"`);
    }
  }
}

/** True when a file or directory that the configuration came from is no longer what was read. */
export function isStale(config: DaemonConfig): boolean {
  for (const [path, was] of config.sources) if (fingerprint(path) !== was) return true;
  return false;
}

/** Takes the present state of the files for read: a broken configuration is not read again until it changes. */
export function markFresh(config: DaemonConfig): void {
  for (const path of config.sources.keys()) config.sources.set(path, fingerprint(path));
}

/**
 * A module's settings with the variables of its strings replaced, those of its commands excepted. The log format keeps its
 * own percent signs.
 */
export function expandModule(config: ModuleConfig, env: Env): ModuleConfig {
  const out = { ...config } as unknown as Record<string, unknown>;
  for (const [key, param] of Object.entries(MODULE_PARAMS)) {
    if (param.kind === 'string' || param.kind === 'path') out[key] = expandVars(out[key] as ByteString, env);
  }
  return out as unknown as ModuleConfig;
}

export function findModule(config: DaemonConfig, name: ByteString): Module | null {
  return config.modules.find((m) => m.name === name) ?? null;
}
