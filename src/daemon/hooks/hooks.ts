import type { ByteString } from '../../../protocol/options.js';
import type { Log } from '../../report/log.js';
import type { Client } from '../clients/access.js';
import type { Env } from '../config/lex.js';
import type { ModuleConfig } from '../config/params.js';
import { NameConverter } from '../modules/name-converter.js';
import { SetupError } from '../workers/identity.js';
import { expandCommand } from './command.js';
import { type HookEnv, type HookResult, type HookRun, runHook } from './process.js';

/** What a client has asked for, as "pre-xfer exec" gets to see it. */
export interface HookRequest {
  /** The module and the paths in it, as the client wrote them. */
  text: ByteString;
  /** The program's name, the options, a dot, the paths in the module. */
  args: ByteString[];
}

/** Who runs hooks, and for whom. */
export interface HookSetting {
  config: ModuleConfig;
  /** The module's directory, cleaned. */
  path: ByteString;
  client: Client;
  user: ByteString;
  /** The daemon's own environment. */
  env: Env;
  output: HookRun['output'];
  log: Log;
}

/** What stands for a request that is not known. */
const NO_REQUEST = '(NONE)';

let counter = 0;

/** A number that no transfer of this machine has had, and that is no process id. */
function uniqueNumber(): number {
  return process.pid * 1_000_000 + (++counter % 1_000_000);
}

/** The commands that a module runs around one connection. They run in the daemon's parent, with its rights. */
export class Hooks {
  /** Settled when the connection and its last command are over. */
  readonly over: Promise<void>;
  private settle: () => void = () => {};
  private isOver = false;

  private converter: NameConverter | null = null;

  private constructor(
    private readonly commands: { early: ByteString; pre: ByteString; post: ByteString; names: ByteString },
    private readonly env: HookEnv,
    private readonly setting: HookSetting,
  ) {
    this.over = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  /** Hooks of a module; null when it has none, or RSYNC_NO_XFER_EXEC forbids them. Errors: exit code 4, see `expandCommand`. */
  static of(setting: HookSetting): Hooks | null {
    const { earlyExec, preXferExec, postXferExec, nameConverter } = setting.config;
    if (earlyExec + preXferExec + postXferExec + nameConverter === '' || setting.env.RSYNC_NO_XFER_EXEC !== undefined)
      return null;
    const env = environment(setting);
    const commands = {
      early: expandCommand(earlyExec, env),
      pre: expandCommand(preXferExec, env),
      post: expandCommand(postXferExec, env),
      names: expandCommand(nameConverter, env),
    };
    return new Hooks(commands, env, setting);
  }

  /** True when the client's request has to be shown to `begin` before anything of it is done. */
  get wantsRequest(): boolean {
    return this.commands.pre !== '' || this.convertsNames;
  }

  /** True when user and group names are asked for here. */
  get convertsNames(): boolean {
    return this.commands.names !== '';
  }

  /** Runs "early exec", with what the client has sent for it. Errors: SetupError when it fails. */
  async early(input: Buffer): Promise<void> {
    if (this.commands.early === '') return;
    const { status } = await this.run(this.commands.early, { RSYNC_REQUEST: NO_REQUEST }, input);
    if (status !== 0) {
      throw new SetupError('@ERROR: early exec failed', `rsync: [Receiver] early exec failed (${status})`);
    }
  }

  /** Runs "pre-xfer exec", and starts the "name converter". Returns why the transfer must not be, or null. */
  async begin({ text, args }: HookRequest): Promise<ByteString | null> {
    const more: Record<string, ByteString> = { RSYNC_REQUEST: text || NO_REQUEST };
    for (const [i, arg] of args.entries()) more[`RSYNC_ARG${i}`] = arg;
    if (this.commands.pre !== '') {
      const { status, output } = await this.run(this.commands.pre, more, Buffer.alloc(0), true);
      if (status !== 0) return preXferFailure(status, output);
    }
    if (this.convertsNames && !this.isOver) {
      this.converter = NameConverter.start(this.commands.names, this.withMore(more), this.setting.output);
    }
    return null;
  }

  /** Has a name or a number converted: `usr NAME`, `grp NAME`, `uid N`, `gid N`. '' when nothing is known. */
  convert(request: ByteString): Promise<ByteString> {
    return this.converter?.ask(request) ?? Promise.resolve('');
  }

  /** Runs "post-xfer exec" after a connection that ended with this status of its process. */
  async finish(status: number): Promise<void> {
    this.isOver = true;
    this.converter?.end();
    if (this.commands.post !== '') {
      const isExit = (status & 0x7f) === 0;
      const code = isExit ? status >> 8 : -1;
      const more = { RSYNC_RAW_STATUS: String(status), RSYNC_EXIT_STATUS: String(code) };
      await this.run(this.commands.post, more, Buffer.alloc(0));
    }
    this.settle();
  }

  private run(
    command: ByteString,
    more: Record<string, ByteString>,
    input: Buffer,
    keeps = false,
  ): Promise<HookResult> {
    const { output, log } = this.setting;
    const env = this.withMore(more);
    return runHook({ command, env, input, keeps, output, complain: (text) => log.error(text) });
  }

  private withMore(more: Record<string, ByteString>): HookEnv {
    const env = { ...this.env };
    // A C string ends there.
    for (const [name, value] of Object.entries(more)) env[name] = value.split('\0', 1)[0];
    return env;
  }
}

/** How a client is told that "pre-xfer exec" has failed, with what that has written. */
export function preXferFailure(status: number, output: ByteString): ByteString {
  const text = `pre-xfer exec returned failure (${status})${output === '' ? '' : ':'}\n${output}`;
  return text.replace(/\n$/, '');
}

function environment(setting: HookSetting): HookEnv {
  const env: Record<string, ByteString> = {};
  for (const [name, value] of Object.entries(setting.env)) {
    if (value !== undefined) env[name] = Buffer.from(value).toString('latin1');
  }
  env.RSYNC_MODULE_NAME = setting.config.name;
  env.RSYNC_MODULE_PATH = setting.path;
  env.RSYNC_HOST_ADDR = setting.client.address;
  env.RSYNC_HOST_NAME = setting.client.name;
  env.RSYNC_USER_NAME = setting.user;
  env.RSYNC_PID = String(uniqueNumber());
  return env;
}
