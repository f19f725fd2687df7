import type { ByteString } from '../../../protocol/options.js';
import { parseTarget } from '../../client/target.js';
import { MIRROR_DEFAULTS } from '../../live/defaults.js';
import type { TargetSpec } from '../../live/types.js';
import { Change } from '../../watch/changes.js';
import type { Level } from './keys.js';
import { at, ConfigError, readLines, type Section } from './lines.js';
import { readHook } from './read-hook.js';
import { Scope } from './scope.js';
import type { HookConfig, ServiceConfig, SyncConfig } from './types.js';

/** Names appear in logs, labels and commands. */
const NAME = /^[\w.@-]+$/;

interface Part {
  name: string;
  scope: Scope;
}

interface SyncPart extends Part {
  targets: Part[];
  hooks: Part[];
}

/** The sections of a file as a tree. */
interface Parts {
  global: Scope;
  syncs: SyncPart[];
  /** Hooks above the first sync: they belong to all. */
  hooks: Part[];
}

/** Reads a configuration; `file` is for messages. Throws ConfigError with everything that is wrong. */
export function readConfig(text: ByteString, file: string, defaultSocket: ByteString): ServiceConfig {
  const problems: string[] = [];
  const parts = collect(readLines(text, file), problems);
  const { global } = parts;
  if (parts.syncs.length === 0) problems.push(`${file}: no [sync NAME] section`);
  const common = parts.hooks.flatMap((part) => readHook(part.name, part.scope, problems) ?? []);
  const syncs = parts.syncs.flatMap((part) => readSync(part, common, problems) ?? []);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    file,
    logFile: global.get('log file', ''),
    pidFile: global.get('pid file', ''),
    socket: global.get('status socket', defaultSocket),
    socketGiven: global.own('status socket').length > 0,
    http: global.get('http', null),
    statusFile: global.get('status file', ''),
    statusIntervalMs: global.get('status interval', 10_000),
    totalSessions: global.get('total sessions', 0),
    drainMs: global.get('drain time', 30_000),
    syncs,
  };
}

/** Puts each section below the one it belongs to: targets and hooks follow their sync. */
function collect(sections: readonly Section[], problems: string[]): Parts {
  const global = new Scope(sections[0].place, null);
  const parts: Parts = { global, syncs: [], hooks: [] };
  for (const section of sections) {
    const sync = parts.syncs[parts.syncs.length - 1];
    const { kind, name, place } = section;
    if (kind === '' || kind === 'global') {
      global.read(section, 'global', problems);
      continue;
    }
    if (!['sync', 'target', 'hook'].includes(kind)) {
      problems.push(at(place, `[${kind}] is no section (allowed: [global], [sync NAME], [target NAME], [hook NAME])`));
      continue;
    }
    if (!NAME.test(name)) problems.push(at(place, `[${kind} ${name}]: a name has letters, digits and . _ - @`));
    const siblings = kind === 'sync' ? parts.syncs : kind === 'target' ? sync?.targets : (sync ?? parts).hooks;
    if (siblings === undefined) {
      problems.push(at(place, `[target ${name}] must follow the [sync NAME] it belongs to`));
      continue;
    }
    if (siblings.some((other) => other.name === name)) problems.push(at(place, `[${kind} ${name}] is there twice`));
    const outer = kind === 'sync' ? global : kind === 'target' ? sync.scope : null;
    const part = { name, scope: new Scope(place, outer), targets: [], hooks: [] };
    part.scope.read(section, kind as Level, problems);
    siblings.push(part);
  }
  return parts;
}

function readSync(part: SyncPart, common: readonly HookConfig[], problems: string[]): SyncConfig | null {
  const { scope, name } = part;
  const sources = scope.own('source');
  const targets = readTargets(part, problems);
  if (sources.length === 0) problems.push(at(scope.place, `[sync ${name}] has no source`));
  if (targets.length === 0) problems.push(at(scope.place, `[sync ${name}] has no target`));
  const own = part.hooks.flatMap((hook) => readHook(hook.name, hook.scope, problems) ?? []);
  const hooks = [...own, ...common];
  for (const hook of own) {
    const unknown = hook.targets.find((wanted) => !targets.some((target) => target.name === wanted));
    if (unknown !== undefined) problems.push(at(scope.place, `[hook ${hook.name}]: ${name} has no target ${unknown}`));
  }
  return {
    spec: {
      name,
      sources: sources.map((source) => source.value),
      targets,
      wanted: scope.get('events', Change.WRITTEN | Change.MADE | Change.REMOVED | Change.ATTRIBUTES | Change.MODIFIED),
      settleMs: scope.get('settle', MIRROR_DEFAULTS.settleMs),
      watchVia: scope.get('watch', MIRROR_DEFAULTS.watchVia),
      pollMs: scope.get('poll', MIRROR_DEFAULTS.pollMs),
      backOff: {
        firstMs: scope.get('retry first', MIRROR_DEFAULTS.backOff.firstMs),
        mostMs: scope.get('retry most', MIRROR_DEFAULTS.backOff.mostMs),
      },
      deleteGuard: {
        maxPercent: scope.get('delete guard', MIRROR_DEFAULTS.deleteGuard.maxPercent),
        fromEntries: scope.get('delete guard from', MIRROR_DEFAULTS.deleteGuard.fromEntries),
      },
      maxPending: scope.get('most pending', MIRROR_DEFAULTS.maxPending),
    },
    schedules: scope.all('full resync'),
    resyncOptions: [
      ...scope.all('resync options').flat(),
      ...scope.all('resync exclude').map((pattern) => `--exclude=${pattern}`),
    ],
    hooks,
  };
}

/** Targets of both forms: `target = DEST` in the sync, and sections of their own. */
function readTargets(part: SyncPart, problems: string[]): TargetSpec[] {
  const targets: TargetSpec[] = [];
  const plain = part.scope.own('target');
  for (const { value } of plain) targets.push(targetSpec(uniqueName(value, targets), value, part.scope));
  for (const { name, scope } of part.targets) {
    const dest = scope.get('to', null);
    if (dest === null) problems.push(at(scope.place, `[target ${name}] has no "to"`));
    else if (targets.some((other) => other.name === name))
      problems.push(at(scope.place, `target ${name} is there twice`));
    else targets.push(targetSpec(name, dest, scope));
  }
  return targets;
}

/** A short name for a target that has none: its host, or its path. */
function uniqueName(dest: ByteString, others: readonly TargetSpec[]): string {
  const target = parseTarget(dest);
  const short = (target.kind === 'local' ? target.path : target.host)
    .replace(/[^\w.@-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  const base = short === '' ? 'target' : short;
  let name = base;
  for (let n = 2; others.some((other) => other.name === name); n++) name = `${base}-${n}`;
  return name;
}

function targetSpec(name: string, dest: ByteString, scope: Scope): TargetSpec {
  return {
    name,
    options: [...scope.options(), ...scope.rules(), ...loginOptions(dest, scope)],
    dest: withUser(dest, scope.get('user', '')),
    // A file is read anew for each connection; nothing here ever holds the password.
    password: null,
    maxSessions: scope.get('sessions', 1),
  };
}

/** Port and password file as the kind of destination takes them. */
function loginOptions(dest: ByteString, scope: Scope): ByteString[] {
  const { kind } = parseTarget(dest);
  const port = scope.get('port', 0);
  const passwordFile = scope.get('password file', '');
  if (kind === 'shell') return port === 0 ? [] : [`--rsh=ssh -p ${port}`];
  if (kind === 'local') return [];
  return [
    ...(port === 0 ? [] : [`--port=${port}`]),
    ...(passwordFile === '' ? [] : [`--password-file=${passwordFile}`]),
  ];
}

/** Puts the user in front of a host that has none. */
function withUser(dest: ByteString, user: ByteString): ByteString {
  const target = parseTarget(dest);
  if (user === '' || target.kind === 'local' || target.user !== null) return dest;
  const scheme = /^rsync:\/\//i.exec(dest)?.[0] ?? '';
  return `${scheme}${user}@${dest.slice(scheme.length)}`;
}
