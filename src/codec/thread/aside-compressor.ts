import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import type { ByteWriter } from '../../../protocol/bytes/writer.js';
import { Exit } from '../../../protocol/constants.js';
import type { EmitFrame } from '../../../protocol/delta/compressed.js';
import { RsyncError } from '../../../protocol/errors.js';
import type { PackCalls } from '../../../protocol/kernel/answer-kernel.js';
import { hasLibc } from '../../libc/libc.js';
import { type ThreadData, ThreadProgram } from '../../libc/thread-program.js';
import type { Detour } from '../../transport/carrier.js';
import type { Connection } from '../../transport/connection.js';
import type { Codec, MovableCompressor, OpenStream } from '../compression.js';
import { createCompressor } from '../index.js';
import type { StreamState } from '../zstd-stream.js';
import { JobGiver } from './job-giver.js';
import { JOB_RING, Kind } from './ring.js';

/** What the thread is given. */
export interface CodecThreadData extends ThreadData {
  codec: Codec;
  /** Of a codec whose state can be moved. */
  state: StreamState | null;
}

const program = new ThreadProgram(import.meta.url, './thread-main.js', './codec-thread.bundle.cjs');

/** For a process that is going to change its root directory. */
export function preloadThread(): void {
  program.preload();
}

/** Bytes to be compressed after which a thread is started: its start takes as long as these. */
const START_AFTER = 4 << 20;
/** Bytes of waiting jobs from which on roles should wait: there still is room for what a step makes. */
const FULL = JOB_RING - (1 << 20);
/** Bytes that the carrier has not taken yet, from which on results stay in their ring. */
const TAKE_BELOW = 256 * 1024;
const NO_BYTES = new Uint8Array(0);

/** Threads of this process that are at work. */
let running = 0;

/**
 * Threads that a process may have: the main thread and the other end of the connection, which may be on this machine, want
 * a core each. On two cores a thread was measured to cost more than it gains. Each takes some 15 MiB.
 */
const MOST = availableParallelism() - 2;

/**
 * Compresses here at first, and in a thread of its own once there was so much that its start pays. The stream has one
 * history, so there is one thread, and what it makes is what would have been made here. All data of the connection then takes
 * the way through the thread, so that its order stays.
 */
export class AsideCompressor implements MovableCompressor, Detour, OpenStream {
  readonly matched?: MovableCompressor['matched'];
  private readonly here: MovableCompressor;
  private jobs: JobGiver | null = null;
  private worker: Worker | null = null;
  /** The thread can take over. */
  isReady = false;
  private isOver = false;
  /** Where results go on; null: nothing was moved yet. */
  private out: ByteWriter | null = null;
  private seen = 0;
  private isGiving = false;
  private isTaking = false;
  private isSettling = false;

  constructor(
    private readonly codec: Codec,
    private readonly connection: Connection,
    private readonly startAfter = START_AFTER,
    private readonly most = MOST,
  ) {
    this.here = createCompressor(codec);
    if (this.here.matched) this.matched = (data, from, to) => this.match(data, from, to);
  }

  reset(): void {
    this.advance(true);
    if (this.out === null) this.here.reset();
    else this.give(Kind.RESET, NO_BYTES, 0, 0);
  }

  write(data: Uint8Array, from: number, to: number, flush: boolean, emit: EmitFrame): void {
    this.seen += to - from;
    this.advance(false);
    if (this.out === null) {
      this.here.write(data, from, to, flush, emit);
      return;
    }
    if (from < to) this.give(Kind.LITERAL, data, from, to);
    if (flush) this.give(Kind.FLUSH, NO_BYTES, 0, 0);
  }

  get calls(): PackCalls | null {
    return this.out === null ? (this.here.calls ?? null) : null;
  }

  took(bytes: number): void {
    this.seen += bytes;
    this.advance(true);
  }

  private match(data: Uint8Array, from: number, to: number): void {
    if (this.out === null) this.here.matched!(data, from, to);
    else if (from < to) this.give(Kind.MATCHED, data, from, to);
  }

  /** Goes to the thread when it is time. Most codecs have a state that only begins anew with a file. */
  private advance(isStart: boolean): void {
    if (this.seen < this.startAfter || this.out !== null || this.isOver) return;
    if (this.worker === null) this.start();
    else if (this.isReady && (isStart || this.here.move !== undefined)) this.moveOver();
  }

  private start(): void {
    const { codec, here, connection } = this;
    const isPossible = here.state !== null && running < this.most && hasLibc();
    this.jobs = isPossible ? new JobGiver() : null;
    const worker = this.jobs && program.start(this.jobs.rings.memory, { codec, state: here.state ?? null });
    this.worker = worker;
    this.isOver = worker === null;
    if (worker === null) return;
    running++;
    connection.detour = this;
    worker.on('message', (text) => this.hear(text));
    worker.on('error', (error) => this.lose(error.message));
    // Its state is this object's, which lives as long as the thread may use it.
    worker.on('exit', () => this.lose('its thread has ended'));
  }

  private hear(text: unknown): void {
    if (this.isOver) return;
    if (text === 'ready') this.isReady = true;
    if (this.out === null) return;
    this.jobs!.ask();
    this.take(TAKE_BELOW);
    this.connection.noteRoom();
  }

  private lose(why: string): void {
    if (this.isOver) return;
    if (this.out !== null) this.connection.fail(new RsyncError(Exit.STREAMIO, `compression failed: ${why}`));
    this.drop();
  }

  private moveOver(): void {
    const { connection, here } = this;
    this.out = connection.writer.startDetour({
      write: (view, release) => {
        this.pass(view);
        release();
      },
    });
    const held = here.move?.() ?? NO_BYTES;
    if (held.length > 0) this.give(Kind.HELD, held, 0, held.length);
  }

  /** Other data goes through as it is. */
  private pass(view: Buffer): void {
    this.jobs!.give(Kind.RAW, view, 0, view.length, this.wait);
    // Whoever flushes is about to wait.
    if (!this.isGiving) this.jobs!.wake();
  }

  private give(kind: number, data: Uint8Array, from: number, to: number): void {
    this.isGiving = true;
    this.connection.writer.flush();
    this.isGiving = false;
    this.jobs!.give(kind, data, from, to, this.wait);
  }

  /** There is no room for a job: both rings may be full. */
  private readonly wait = (): void => {
    const jobs = this.jobs!;
    if (jobs.isStopped) throw new RsyncError(Exit.STREAMIO, 'compression failed: its thread has ended');
    this.take(Number.POSITIVE_INFINITY);
    jobs.waitForJob();
  };

  /** Passes results on while the carrier has fewer than `below` bytes. */
  private take(below: number): void {
    const { jobs, out, connection } = this;
    if (out === null || jobs === null || this.isTaking || jobs.made === 0) return;
    this.isTaking = true;
    while (jobs.made > 0 && connection.writer.pending < below) {
      out.ensure(1);
      out.pos += jobs.take(out.buf, out.pos, out.pageEnd - out.pos);
    }
    out.flush();
    jobs.wake();
    this.isTaking = false;
  }

  get isFull(): boolean {
    if (this.out === null) return false;
    return this.isSettling ? !this.jobs!.isIdle : this.jobs!.used > FULL;
  }

  resume(): void {
    this.take(TAKE_BELOW);
  }

  async settle(): Promise<void> {
    if (this.out !== null) {
      this.connection.writer.flush();
      this.jobs!.wake();
      this.isSettling = true;
      await this.connection.drain();
    }
    this.drop();
  }

  drop(): void {
    if (this.isOver) return;
    this.isOver = true;
    running--;
    if (this.out !== null) this.connection.writer.endDetour();
    this.connection.detour = null;
    this.jobs?.stop();
    this.worker?.unref();
  }
}
