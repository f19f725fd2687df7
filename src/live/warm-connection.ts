import type { CommandOptions } from '../cli/options.js';
import { prepareClient, type ReadyRun } from '../client/client.js';
import type { ClientLog } from '../report/log.js';
import { SessionLog } from './session-log.js';

/** A connection of the ready kind, with the log that its session will write to. */
export interface ReadySession {
  run: ReadyRun;
  log: SessionLog;
  options: CommandOptions;
  /** It was opened ahead of time: that it breaks at once means only that the other side had given it up. */
  warm: boolean;
}

/** How long a new connection waits after one that the other side has ended without a session. */
const FIRST_PAUSE_MS = 1000;
const MOST_PAUSE_MS = 60_000;

/**
 * Keeps one connection open, logged in, with its rules sent and ready for the file list, so that a session costs one
 * round trip. One that the other side gives up is replaced without a word; when none can be had, `take` opens one and
 * tells why it could not.
 */
export class WarmConnection {
  private ready: ReadySession | null = null;
  private opening: Promise<void> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private pauseMs = FIRST_PAUSE_MS;
  private closed = false;

  /** `onOpen` is told of each connection that is tried. */
  constructor(
    private readonly options: () => CommandOptions,
    private readonly output: ClientLog | null,
    private readonly onOpen: () => void,
  ) {}

  /** Has a connection made ready, unless there is one. Never fails. */
  prepare(): void {
    if (this.closed || this.ready !== null || this.opening !== null) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.opening = this.open(true)
      .then((session) => this.keep(session))
      .catch(() => {})
      .finally(() => {
        this.opening = null;
      });
  }

  private keep(session: ReadySession): void {
    const { connection } = session.run.session;
    if (this.closed || !connection.isOpen) {
      session.run.abandon();
      return;
    }
    this.ready = session;
    connection.onGone = () => {
      if (this.ready !== session) return;
      this.ready = null;
      session.run.abandon();
      this.prepareLater();
    };
  }

  private prepareLater(): void {
    if (this.closed) return;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.prepare();
    }, this.pauseMs);
    this.timer.unref();
    this.pauseMs = Math.min(2 * this.pauseMs, MOST_PAUSE_MS);
  }

  /** The connection that is ready, or a new one. Throws RsyncError when none can be opened. */
  async take(): Promise<ReadySession> {
    if (this.opening !== null) await this.opening;
    const session = this.ready;
    this.ready = null;
    if (session !== null) {
      const { connection } = session.run.session;
      connection.onGone = null;
      if (connection.isOpen) {
        this.pauseMs = FIRST_PAUSE_MS;
        return session;
      }
      session.run.abandon();
    }
    return this.open(false);
  }

  private async open(warm: boolean): Promise<ReadySession> {
    this.onOpen();
    const log = new SessionLog(this.output);
    const options = this.options();
    const run = await prepareClient(options, log);
    // Only a request for the modules of a daemon has nothing to run, and that is no push.
    if (run === null) throw new Error('a push without a module');
    // Nothing follows that would carry the last bytes along.
    run.session.connection.flush();
    await run.session.awaitSeed();
    await run.prepareSending();
    return { run, log, options, warm };
  }

  /** Drops the connection that is ready: what it was opened with does not hold any more. */
  drop(): void {
    const session = this.ready;
    this.ready = null;
    if (session === null) return;
    session.run.session.connection.onGone = null;
    // An empty list ends it in order, so that the other side has nothing to complain about in its log.
    session.run.finish({ sources: [], names: null, wanted: [] }).catch(() => session.run.abandon());
  }

  /** Ends it for good; resolves when the other side has been told. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.opening;
    const session = this.ready;
    this.ready = null;
    if (session === null) return;
    session.run.session.connection.onGone = null;
    const patience = setTimeout(() => session.run.abandon(), 1000);
    await session.run.finish({ sources: [], names: null, wanted: [] }).catch(() => session.run.abandon());
    clearTimeout(patience);
  }
}
