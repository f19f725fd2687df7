import { ByteReader } from '../../protocol/bytes/reader.js';
import { ByteWriter } from '../../protocol/bytes/writer.js';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { Carrier, Detour } from './carrier.js';
import { DrainWait } from './drain-wait.js';
import type { HandOver } from './handover.js';
import { IdleTimer } from './idle-timer.js';
import { InputWait } from './input-wait.js';
import { RateLimiter } from './rate-limiter.js';

/** Above this many unsent bytes a writer should wait for `drain`. */
const OUTPUT_HIGH = 512 * 1024;

/**
 * One connection: a reader and a writer over a carrier, and the waiting between them.
 * Exactly one role waits for input at a time. Waiting always flushes the output first.
 */
export class Connection {
  readonly writer: ByteWriter;
  /** Name of the role for messages such as "connection unexpectedly closed (…) [sender]". */
  role = 'client';
  private readonly input = new InputWait(() => {
    this.writer.flush();
    this.resumeInput();
    this.acknowledge();
  });
  private readonly output = new DrainWait();
  private inputEnded = false;
  private closed = false;
  private paused = false;
  /** Nothing is to be decoded or produced. */
  private held = false;
  /** Bytes of input that the peer's machine knows to have arrived. */
  private acknowledged = 0;
  private failure: Error | null = null;
  /** The carrier takes nothing any more. */
  private broken = false;
  private readonly idle = new IdleTimer({
    expired: (seconds) => this.expire(seconds),
    lull: () => this.keepAwake(),
  });
  private limiter: RateLimiter | null = null;
  /** Called once when the peer has closed its side, or the connection broke, for an owner that has no role waiting. */
  onGone: (() => void) | null = null;
  /** Where whole files go past the stream, when the peer is in this process. */
  handOver: HandOver | null = null;
  /** What data passes through, set by itself. */
  detour: Detour | null = null;
  /** Set while the peer may not be sent keep-alives (the first file list of a receiver, 4.6). */
  quiet = false;

  constructor(
    private readonly carrier: Carrier,
    /** The peer is in this process: nothing is acknowledged, and it may need every byte before it answers. */
    readonly isMemory = false,
    readonly reader = new ByteReader(),
  ) {
    this.writer = new ByteWriter({ write: (view, release) => this.send(view, release) });
  }

  // --- input -------------------------------------------------------------------------------------------------------

  /** Called by the carrier. */
  received(chunk: Uint8Array): void {
    this.reader.push(chunk);
    this.noticeInput();
  }

  /** Called by a carrier that has put `n` bytes where `reader.space` said. */
  arrived(n: number): void {
    this.reader.arrived(n);
    this.noticeInput();
  }

  /** Something has changed beside the stream: whoever waits for input looks again. */
  poke(): void {
    this.noticeInput();
  }

  /** Counts bytes that have gone past the stream as if they had been in it. */
  carried(sent: number, received: number): void {
    this.writer.total += sent;
    this.reader.total += received;
    this.idle.noteInput();
    this.idle.noteOutput();
  }

  private noticeInput(): void {
    this.idle.noteInput();
    if (this.held || this.reader.buffered > this.reader.longest) this.pauseInput();
    if (this.held) return;
    if (this.input.isWaited) this.input.arrived();
    else this.pumpMessages();
  }

  /** A role that waits to send must still see messages: they may tell why the peer reads no further. */
  private pumpMessages(): void {
    try {
      this.reader.pumpMessages();
    } catch (error) {
      this.fail(error as Error);
    }
  }

  /** Called by the carrier at the end of its input. */
  ended(): void {
    this.inputEnded = true;
    if (this.broken) this.fail(this.lastWord() ?? this.endError());
    else if (!this.held) this.input.fail(this.endError());
    this.tellGone();
  }

  private tellGone(): void {
    const { onGone } = this;
    this.onGone = null;
    onGone?.();
  }

  /** True while nothing is known to have ended: the peer has not closed its side, and nothing has failed. */
  get isOpen(): boolean {
    return !this.inputEnded && !this.closed && !this.broken && this.failure === null;
  }

  private endError(): Error {
    return (
      this.failure ??
      new RsyncError(
        Exit.STREAMIO,
        `rsync: connection unexpectedly closed (${this.reader.total} bytes received so far) [${this.role}]`,
      )
    );
  }

  private pauseInput(): void {
    if (this.paused) return;
    this.paused = true;
    this.carrier.pauseInput();
  }

  private resumeInput(): void {
    if (!this.paused || this.held) return;
    this.paused = false;
    this.carrier.resumeInput();
  }

  /**
   * A peer's TCP that gathers small writes (Nagle's algorithm, which rsync leaves on) holds the second one back until the
   * first one is acknowledged, and this side's waits up to 40 ms for output that could carry that. So whoever waits for
   * more says that all has come so far.
   */
  private acknowledge(): void {
    const { total } = this.reader;
    if (total === this.acknowledged) return;
    this.acknowledged = total;
    this.carrier.acknowledge?.();
  }

  /** True when the peer has closed its side and everything it sent was decoded. */
  get atEnd(): boolean {
    return this.inputEnded && this.reader.buffered === 0;
  }

  /** Waits until more bytes have arrived than were there when the last decoding ran short. */
  fill(held = 0): Promise<void> {
    const before = this.reader.total;
    this.writer.flush(held);
    // A peer in this process may have answered already.
    if (this.reader.total !== before && this.failure === null) return Promise.resolve();
    return this.awaitInput(null);
  }

  /**
   * Calls `step` now and, without a promise in between, whenever bytes have arrived, until it says true. What it has
   * written goes out before each wait.
   */
  async pump(step: () => boolean): Promise<void> {
    let before: number;
    do {
      before = this.reader.total;
      if (!this.held && step()) return;
      this.writer.flush();
    } while (this.reader.total !== before);
    await this.awaitInput(step);
  }

  private awaitInput(step: (() => boolean) | null): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure);
    if (this.inputEnded && !this.held) return Promise.reject(this.endError());
    const waited = this.input.begin(step);
    // A carrier within this process delivers at once, so the waiter must be there already.
    this.resumeInput();
    this.acknowledge();
    return waited;
  }

  /** Like `fill`, and tells an end of input by returning false. */
  async fillOrEnd(): Promise<boolean> {
    if (this.inputEnded && this.failure === null) return false;
    try {
      await this.fill();
      return true;
    } catch (error) {
      if (this.inputEnded && this.failure === null) return false;
      throw error;
    }
  }

  // --- output ------------------------------------------------------------------------------------------------------

  private send(view: Buffer, release: () => void): void {
    this.idle.noteOutput();
    if (this.closed || this.broken) {
      release();
      return;
    }
    const sent = () => {
      release();
      this.idle.noteOutput();
      this.detour?.resume();
      this.noteRoom();
    };
    if (this.limiter === null) this.carrier.write(view, sent);
    else this.limiter.write(view, sent);
  }

  private get hasRoom(): boolean {
    return !this.held && this.writer.pending <= OUTPUT_HIGH / 2 && !this.detour?.isFull;
  }

  /** Output has gone: who waits for that is woken. */
  noteRoom(): void {
    if (this.output.isWaited && this.hasRoom) this.output.end();
  }

  /** True when a role that produces output should call `drain` before it goes on. */
  get congested(): boolean {
    return this.writer.pending > OUTPUT_HIGH || this.held || this.failure !== null || this.detour?.isFull === true;
  }

  /** Waits until the peer has taken most of what was sent. */
  drain(): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure);
    if (this.hasRoom) return Promise.resolve();
    return this.output.begin();
  }

  flush(): void {
    this.writer.flush();
  }

  /** Until `release`, roles that wait for input get none, and those that ask before they produce more have to wait. */
  hold(): void {
    if (this.failure !== null) return;
    this.held = true;
    this.pauseInput();
  }

  release(): void {
    if (!this.held) return;
    this.held = false;
    this.noticeInput();
    if (this.inputEnded) this.input.fail(this.endError());
    else if (!this.input.isWaited) this.resumeInput();
    this.noteRoom();
  }

  /** Limits output to `bytesPerSecond`, as --bwlimit asks. */
  limitRate(bytesPerSecond: number): void {
    this.limiter = new RateLimiter(bytesPerSecond, (view, sent) => this.carrier.write(view, sent));
  }

  // --- end ---------------------------------------------------------------------------------------------------------

  /** Ends the connection with an error that every waiting role receives. The first error stays. */
  fail(error: Error, broken = false): void {
    this.broken ||= broken;
    if (this.failure !== null) return;
    this.failure = error;
    this.held = false;
    this.input.fail(error);
    this.output.fail(error);
    this.tellGone();
  }

  /** After a failure that was not the carrier's: the peer can still be told about it, and may answer. */
  revive(): void {
    if (!this.broken) this.failure = null;
  }

  /** The carrier broke while writing. What the peer said before is still read. */
  brokenPipe(error: Error): void {
    this.broken = true;
    if (this.inputEnded) this.fail(this.lastWord() ?? this.endError());
    else if (this.output.isWaited) this.fail(this.lastWord() ?? error);
    else this.carrier.resumeInput();
  }

  /** What the peer has said of its end, behind data that nobody will ask for any more; null when it said nothing. */
  private lastWord(): Error | null {
    try {
      this.reader.drop();
      return null;
    } catch (error) {
      return error as Error;
    }
  }

  /** Flushes and closes this side's output. */
  finish(): void {
    this.writer.flush();
    this.idle.stop();
    if (this.closed) return;
    this.closed = true;
    if (this.limiter !== null) this.limiter.whenIdle(() => this.carrier.endOutput());
    else this.carrier.endOutput();
  }

  /** Waits until everything that was written before `finish` has left this process, or cannot leave it any more. */
  async outputEnded(): Promise<void> {
    const deadline = Date.now() + 5000;
    while (this.writer.pending > 0 && this.failure === null && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  destroy(): void {
    this.closed = this.broken = true;
    this.idle.stop();
    this.carrier.destroy();
    if (this.failure === null) this.failure = new RsyncError(Exit.SOCKETIO, 'connection closed', true);
    this.input.fail(this.failure);
    this.output.fail(this.failure);
  }

  // --- time --------------------------------------------------------------------------------------------------------

  /** Fails with exit code 30 after `seconds` without traffic, and keeps the peer awake meanwhile (4.6). 0 ends it. */
  setTimeout(seconds: number): void {
    this.idle.start(seconds);
  }

  get timeoutSeconds(): number {
    return this.idle.seconds;
  }

  private expire(seconds: number): void {
    if (this.held) return;
    // Of the two roles of a receiving side, this is the generator's business.
    if (this.role === 'receiver') this.role = 'generator';
    this.fail(new RsyncError(Exit.TIMEOUT, `[${this.role}] io timeout after ${seconds} seconds -- exiting`), true);
    this.carrier.destroy();
  }

  private keepAwake(): void {
    const { writer } = this;
    if (!writer.framed || this.quiet || writer.pending > 0) return;
    if (writer.unflushed === 0) writer.keepAlive();
    writer.flush();
  }
}
