import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { type CommandOptions, splitWords } from '../cli/options.js';
import { tempRegistry } from '../files/temp.js';
import { MIRROR_DEFAULTS, wantedChanges } from '../live/defaults.js';
import { createMirror } from '../live/mirror.js';
import { checkMirrored } from '../live/target-options.js';
import type { Mirror, MirrorSpec } from '../live/types.js';
import { exitLine } from '../report/exit.js';
import { type ConsoleLog, logLines } from '../report/log.js';
import { openClientLog } from '../report/open-log.js';
import { stayForLong } from '../session/engine.js';

type LogKind = 'info' | 'warning' | 'error';

/** `--watch`: the transfer that the rest of the command line says, and then each change, until a signal ends it. */
export async function runWatch(
  argv: readonly ByteString[],
  o: CommandOptions,
  complain: (error: unknown, role: string) => number,
): Promise<number> {
  stayForLong();
  let log: ConsoleLog;
  try {
    checkMirrored(o);
    log = openClientLog(o);
  } catch (error) {
    return complain(error, 'client');
  }
  try {
    return await new Watching(argv, o, log).run();
  } catch (error) {
    if (!(error instanceof RsyncError)) throw error;
    logLines(log, 'error', `${error.message}\n`);
    log.exit(error.exitCode, exitLine(error.exitCode, 'sender'));
    return error.exitCode;
  } finally {
    tempRegistry.removeAll();
    log.close();
  }
}

/** One command that mirrors. */
class Watching {
  private readonly mirror: Mirror;
  private readonly dest: ByteString;
  /** Errors of the time when it is not known yet whether there is a mirror at all: what ends it is told by itself. */
  private early: string[] | null = [];
  private signals = 0;
  private end: (code: number) => void = () => {};

  constructor(
    argv: readonly ByteString[],
    o: CommandOptions,
    private readonly log: ConsoleLog,
  ) {
    const { options, args } = splitWords(argv);
    this.dest = args[args.length - 1];
    const spec: MirrorSpec = {
      ...MIRROR_DEFAULTS,
      name: 'watch',
      sources: args.slice(0, -1),
      targets: [{ name: text(this.dest), options, dest: this.dest, password: null, maxSessions: 1 }],
      wanted: wantedChanges(o),
    };
    this.mirror = createMirror(spec, { log: (kind, line) => this.say(kind, line) }, null, log);
  }

  async run(): Promise<number> {
    const ended = new Promise<number>((resolve) => {
      this.end = resolve;
    });
    const onSignal = () => this.interrupted();
    const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
    for (const name of names) process.on(name, onSignal);
    try {
      const first = this.start();
      return await Promise.race([ended, first.then((code) => code ?? ended)]);
    } finally {
      for (const name of names) process.off(name, onSignal);
    }
  }

  /** The first comparison; an exit code when that must be the end. */
  private async start(): Promise<number | null> {
    const [{ error, lasting }] = await this.mirror.start();
    if (this.signals > 0) return null;
    if (error !== null && lasting) {
      await this.mirror.stop(false);
      if (!error.told) {
        if (error.message !== '') logLines(this.log, 'error', `${error.message}\n`);
        this.log.exit(error.exitCode, exitLine(error.exitCode, 'sender'));
      }
      return error.exitCode;
    }
    for (const line of this.early ?? []) this.print('error', line);
    this.early = null;
    if (error === null) this.print('info', `in step with ${text(this.dest)}; changes are sent as they happen`);
    return null;
  }

  /** The first signal lets the running session end, the second one does not. */
  private interrupted(): void {
    this.signals++;
    const isStarting = this.early !== null;
    if (this.signals > 1 || isStarting) {
      this.mirror.abort();
      this.log.exit(Exit.SIGNAL, exitLine(Exit.SIGNAL, 'sender'));
      this.end(Exit.SIGNAL);
      return;
    }
    this.mirror.stop(false).then((left) => {
      if (left > 0) this.print('warning', `ended; ${left} ${left === 1 ? 'change was' : 'changes were'} still waiting`);
      else this.print('info', 'ended; nothing was waiting');
      this.end(left > 0 ? Exit.SIGNAL : Exit.OK);
    });
  }

  private say(kind: LogKind, line: string): void {
    if (this.early !== null && kind === 'error') this.early.push(line);
    else this.print(kind, line);
  }

  private print(kind: LogKind, line: string): void {
    this.log[kind](`tsrsync: ${Buffer.from(line, 'utf8').toString('latin1')}\n`);
  }
}

function text(name: ByteString): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}
