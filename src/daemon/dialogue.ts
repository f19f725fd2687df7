import type { Readable, Writable } from 'node:stream';
import { MAX_LINE } from '../../protocol/handshake/greeting.js';
import type { ByteString } from '../../protocol/options.js';

/** Bytes that a client may send ahead before its input is left in the kernel. */
const MAX_AHEAD = 64 * 1024;
/** Milliseconds that a refused client has to close its side. */
const LINGER_MS = 2000;

/** The part of a socket's handle that stops the kernel's bytes from being read. */
interface ReadingHandle {
  reading: boolean;
  readStop(): number;
}

/**
 * Stops reading from a socket at once. `pause()` alone lets Node read on until a buffer is full, and bytes that arrive
 * while a socket is on its way to another process would be lost.
 */
export function stopReading(input: Readable): void {
  const handle = (input as unknown as { _handle?: ReadingHandle | null })._handle;
  if (handle === undefined || handle === null) return;
  handle.reading = false;
  handle.readStop();
}

/**
 * The text part of a daemon connection: lines with a length limit, raw bytes, and one deadline for all of it. When the
 * text is over, `release` hands the streams on with what was read too far.
 */
export class Dialogue {
  /** Why the dialogue ended: 'deadline', 'closed', or '' while it lives. */
  fate: '' | 'closed' | 'deadline' = '';
  private held: Buffer = Buffer.alloc(0);
  private wake: (() => void) | null = null;
  private timer: NodeJS.Timeout | null = null;
  private readonly started = Date.now();
  private readonly onData = (chunk: Buffer) => this.received(chunk);
  private readonly onEnd = () => this.end('closed');

  constructor(
    readonly input: Readable,
    readonly output: Writable,
    /** What was read before. */
    head: Buffer = Buffer.alloc(0),
  ) {
    this.held = head;
    input.on('data', this.onData);
    // Whatever happens to the streams later, an error event must never go unheard.
    input.on('error', () => {});
    output.on('error', () => {});
    for (const event of ['end', 'close', 'error']) input.on(event, this.onEnd);
    if ((output as unknown) !== input) for (const event of ['close', 'error']) output.on(event, this.onEnd);
  }

  private received(chunk: Buffer): void {
    this.held = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    if (this.held.length > MAX_AHEAD) this.input.pause();
    this.wake?.();
  }

  private end(fate: 'closed' | 'deadline'): void {
    if (this.fate === '') this.fate = fate;
    this.wake?.();
  }

  /** From the start of the connection, the client has so many seconds to finish. Only ever makes it shorter. */
  deadline(seconds: number): void {
    if (this.timer !== null) clearTimeout(this.timer);
    const left = this.started + seconds * 1000 - Date.now();
    this.timer = setTimeout(
      () => {
        this.end('deadline');
        this.input.destroy();
        this.output.destroy();
      },
      Math.max(0, left),
    );
  }

  /** What comes next is not for the client to finish: it may take as long as it will. */
  withoutDeadline(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  send(text: ByteString | Buffer): void {
    if (this.fate !== '' || this.output.destroyed) return;
    this.output.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  }

  private wait(): Promise<void> {
    if (this.input.isPaused()) this.input.resume();
    return new Promise((resolve) => {
      this.wake = () => {
        this.wake = null;
        resolve();
      };
    });
  }

  /** The next line without its LF and CRs; null when the client closes, sends a NUL, takes too long or sends too much. */
  async line(): Promise<ByteString | null> {
    for (;;) {
      const newline = this.held.indexOf(0x0a);
      const end = newline < 0 ? this.held.length : newline;
      const text = this.held.toString('latin1', 0, Math.min(end, 2 * MAX_LINE)).replaceAll('\r', '');
      if (text.length > MAX_LINE || end > 2 * MAX_LINE || text.includes('\0')) return null;
      if (newline >= 0) {
        this.held = this.held.subarray(newline + 1);
        return text;
      }
      if (this.fate !== '') return null;
      await this.wait();
    }
  }

  /** The next `n` bytes; null when they do not come. */
  async bytes(n: number): Promise<Buffer | null> {
    while (this.held.length < n) {
      if (this.fate !== '') return null;
      await this.wait();
    }
    const out = this.held.subarray(0, n);
    this.held = this.held.subarray(n);
    return out;
  }

  /** What arrived so far and was not taken. */
  get ahead(): Buffer {
    return this.held;
  }

  /** Waits until everything sent has left this process, so that nobody else's bytes can overtake it. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.fate !== '' || this.output.writableLength === 0) resolve();
      else {
        this.output.write('', () => resolve());
        this.output.once('close', () => resolve());
      }
    });
  }

  /**
   * Ends the dialogue's hold on the streams and returns what was read and not used. With `stop` nothing is read any
   * more, because another process takes the socket; otherwise the caller must attach its own listeners at once.
   */
  release(stop: boolean): Buffer {
    if (stop) stopReading(this.input);
    this.detach();
    this.input.pause();
    const pieces = [this.held];
    for (let chunk = this.input.read() as Buffer | null; chunk !== null; chunk = this.input.read() as Buffer | null) {
      pieces.push(chunk);
    }
    if (stop) stopReading(this.input);
    return Buffer.concat(pieces);
  }

  private detach(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.input.off('data', this.onData);
    for (const event of ['end', 'close', 'error']) this.input.off(event, this.onEnd);
    for (const event of ['close', 'error']) this.output.off(event, this.onEnd);
  }

  /**
   * Sends what is still to be sent and closes the connection. The client is given a moment to read and to close first:
   * closing on bytes that were not read would make the kernel throw away the last line.
   */
  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    const destroy = () => {
      clearTimeout(timer);
      this.input.destroy();
      this.output.destroy();
    };
    const timer = setTimeout(destroy, LINGER_MS);
    this.held = Buffer.alloc(0);
    this.input.off('data', this.onData);
    this.input.once('end', destroy);
    this.input.once('close', destroy);
    this.input.resume();
    if (this.fate !== '') destroy();
    else this.output.end();
  }
}
