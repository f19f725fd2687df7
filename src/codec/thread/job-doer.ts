import { type Compressor, type EmitFrame, frameHead } from '../../../protocol/delta/compressed.js';
import { copyShared } from '../../libc/files.js';
import { JOB_RING, Kind, RECORD_HEAD, RESULT_RING, recordLength, SharedRings, Word } from './ring.js';

/** Bytes of jobs, and of what was made of them, that the other side is told of while there is more to do. */
const TELL_JOBS = 256 * 1024;
const TELL_MADE = 64 * 1024;

/** The side that works: bytes of a token stream that are to be compressed, between others. */
export class JobDoer {
  private readonly rings: SharedRings;
  private tail = 0;
  private made = 0;
  /** Bytes since the other side was told. */
  private done = 0;
  private news = 0;
  private isOver = false;
  private readonly head = Buffer.alloc(2);

  constructor(
    memory: SharedArrayBuffer,
    private readonly codec: Compressor,
    private readonly hold: (data: Uint8Array, from: number, to: number) => void,
    private readonly tell: () => void,
  ) {
    this.rings = new SharedRings(memory);
  }

  /** Works until it is told to stop. Throws what the codec throws. */
  run(): void {
    const { rings } = this;
    try {
      while (!this.isStopped) {
        const calls = rings.load(Word.CALLS);
        if (rings.load(Word.HEAD) === this.tail) this.sleep(calls);
        else this.doNext();
      }
    } finally {
      // The other side may be waiting without looking at messages.
      Atomics.store(rings.control, Word.STOP, 1);
    }
  }

  private get isStopped(): boolean {
    this.isOver ||= this.rings.load(Word.STOP) !== 0;
    return this.isOver;
  }

  /** Waits until it was called since `calls` was read. */
  private sleep(calls: number): void {
    const { control } = this.rings;
    if (this.done > 0 || this.news > 0) this.report();
    Atomics.store(control, Word.ASLEEP, 1);
    Atomics.wait(control, Word.CALLS, calls);
    Atomics.store(control, Word.ASLEEP, 0);
  }

  private report(): void {
    if (Atomics.exchange(this.rings.control, Word.WANTED, 0) === 0) return;
    this.done = this.news = 0;
    this.tell();
  }

  private doNext(): void {
    const { rings } = this;
    const at = this.tail & (JOB_RING - 1);
    const length = rings.jobWords[at / 4 + 1];
    this.work(rings.jobWords[at / 4], at + RECORD_HEAD, at + RECORD_HEAD + length);
    this.tail = (this.tail + recordLength(length)) | 0;
    Atomics.store(rings.control, Word.TAIL, this.tail);
    this.done += length;
    if (this.done >= TELL_JOBS || this.news >= TELL_MADE) this.report();
  }

  private work(kind: number, from: number, to: number): void {
    const { codec } = this;
    const { jobs } = this.rings;
    switch (kind) {
      case Kind.RAW:
        this.put(jobs, from, to);
        break;
      case Kind.RESET:
        codec.reset();
        break;
      case Kind.LITERAL:
        codec.write(jobs, from, to, false, this.emit);
        break;
      case Kind.FLUSH:
        codec.write(jobs, from, from, true, this.emit);
        break;
      case Kind.MATCHED:
        codec.matched?.(jobs, from, to);
        break;
      case Kind.HELD:
        this.hold(jobs, from, to);
        break;
    }
  }

  private readonly emit: EmitFrame = (b, from, to) => {
    frameHead(this.head, to - from);
    this.put(this.head, 0, 2);
    this.put(b, from, to);
  };

  /** Adds bytes to the result, and waits for room. */
  private put(data: Uint8Array, from: number, to: number): void {
    const { rings } = this;
    while (from < to && !this.isStopped) {
      const calls = rings.load(Word.CALLS);
      const room = RESULT_RING - ((this.made - rings.load(Word.RESULT_TAIL)) | 0);
      if (room === 0) {
        this.sleep(calls);
        continue;
      }
      const at = this.made & (RESULT_RING - 1);
      const n = Math.min(to - from, room, RESULT_RING - at);
      copyShared(data, from, from + n, rings.results, at);
      from += n;
      this.news += n;
      this.made = (this.made + n) | 0;
      Atomics.store(rings.control, Word.RESULT_HEAD, this.made);
    }
  }
}
