import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import type { CommandOptions } from '../cli/options.js';
import { prepareClient, type ReadyRun } from '../client/client.js';
import type { ClientLog } from '../report/log.js';
import type { WhatToList } from '../sending/list-sender.js';
import type { WantedEntry } from '../sending/scan/wanted.js';
import type { Session } from '../session/session.js';
import { SessionLog } from './session-log.js';
import type { TargetOptions } from './target-options.js';
import { WarmConnection } from './warm-connection.js';

/** Codes with which a run has come to its end although single files were left out. */
const ENDED = new Set<number>([Exit.OK, Exit.PARTIAL, Exit.VANISHED, Exit.DEL_LIMIT]);
/** How a connection ends that the other side has closed, or that is dead. */
const CLOSED = new Set<number>([Exit.SOCKETIO, Exit.STREAMIO, Exit.TIMEOUT]);
/** A connection that was opened ahead of time and says nothing for so long is taken for dead. */
const FIRST_BYTE_MS = 15_000;

/** What became of one session. */
export interface Outcome {
  code: number;
  /** What ended it before its time, else null. */
  error: RsyncError | null;
  /** Entries that are there and could not be sent, as whole paths. */
  failed: ByteString[];
  /** Null when there was no connection. */
  session: Session | null;
  log: SessionLog;
}

/** Runs the sessions of one target, one at a time. */
export class Sessions {
  connections = 0;
  private readonly warm: WarmConnection;
  private current: ReadyRun | null = null;

  constructor(
    private readonly options: TargetOptions,
    private readonly output: ClientLog | null,
  ) {
    this.warm = new WarmConnection(
      () => options.single(),
      output,
      () => this.connections++,
    );
  }

  /** Compares everything: the command line as the user gave it. */
  async full(extra: readonly ByteString[]): Promise<Outcome> {
    const log = new SessionLog(this.output);
    const outcome: Outcome = { code: 0, error: null, failed: [], session: null, log };
    return this.caught(outcome, async () => {
      const o = this.options.full(extra);
      this.connections++;
      const run = await prepareClient(o, log);
      if (run === null) throw new RsyncError(Exit.SYNTAX, 'a module is missing in the destination');
      await this.finish(run, outcome, null);
      this.options.keepPassword(o);
    });
  }

  /** Sends a directory that moved, with the options for that. */
  async moved(o: CommandOptions): Promise<Outcome> {
    const log = new SessionLog(this.output);
    const outcome: Outcome = { code: 0, error: null, failed: [], session: null, log };
    return this.caught(outcome, async () => {
      this.connections++;
      const run = await prepareClient(o, log);
      if (run !== null) await this.finish(run, outcome, { sources: o.args.slice(0, 1), names: null });
    });
  }

  /** Sends single entries. `choose` is asked for them once there is a connection. */
  async single(choose: () => Promise<WantedEntry[]>): Promise<Outcome> {
    let wanted: WantedEntry[] | null = null;
    for (let again = false; ; again = true) {
      const log = new SessionLog(this.output);
      const outcome: Outcome = { code: 0, error: null, failed: [], session: null, log };
      let wasWarm = false;
      await this.caught(outcome, async () => {
        const ready = await this.warm.take();
        outcome.log = ready.log;
        wasWarm = ready.warm;
        wanted ??= await choose();
        await this.finish(ready.run, outcome, { sources: [], names: null, wanted }, ready.warm);
      });
      if (again || !wasWarm || !wasGivenUp(outcome)) return outcome;
    }
  }

  private async caught(outcome: Outcome, work: () => Promise<void>): Promise<Outcome> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof RsyncError)) throw error;
      // What the other side said before it ended says more than that it did.
      const { text } = outcome.log;
      outcome.error = error.message === '' && text !== '' ? new RsyncError(error.exitCode, text) : error;
      outcome.code = error.exitCode;
    } finally {
      this.current = null;
    }
    return outcome;
  }

  private async finish(run: ReadyRun, outcome: Outcome, what: WhatToList | null, warm = false): Promise<void> {
    const { session } = run;
    outcome.session = session;
    this.current = run;
    session.onFailed = (path) => outcome.failed.push(path);
    session.keepsLinksApart = true;
    const stopWatching = warm ? watchFirstByte(session) : () => {};
    try {
      outcome.code = await run.finish(what);
    } finally {
      stopWatching();
    }
    if (!ENDED.has(outcome.code)) throw new RsyncError(outcome.code, outcome.log.text);
  }

  /** Has the connection of the next session made ready. */
  prepare(): void {
    this.warm.prepare();
  }

  /** Ends the running session at once. */
  abort(): void {
    this.current?.session.connection.fail(new RsyncError(Exit.SIGNAL, '', true));
  }

  close(): Promise<void> {
    return this.warm.close();
  }
}

/** The other side closed a connection that was open ahead of time before it took anything of the session. */
function wasGivenUp({ error, session }: Outcome): boolean {
  return error !== null && CLOSED.has(error.exitCode) && session !== null && session.stats.transferredFiles === 0;
}

/** Ends a session to which the other side does not react at all. Returns what ends the watch. */
function watchFirstByte({ connection }: Session): () => void {
  const before = connection.reader.total;
  const timer = setTimeout(() => {
    if (connection.reader.total > before) return;
    connection.fail(new RsyncError(Exit.TIMEOUT, 'the connection is dead', true), true);
  }, FIRST_BYTE_MS);
  return () => clearTimeout(timer);
}
