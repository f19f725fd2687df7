import { CHUNK_SIZE, Exit, Item, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { CHUNK_ROWS, type Chunk, rowIn } from '../../protocol/flist/chunk.js';
import { EntryFlag, rowOf, type Segment } from '../../protocol/flist/list.js';
import {
  ANSWER_ROWS,
  AnswerKernel,
  AnswerPlace,
  type AnswerRun,
  AnswerState,
  REQUEST_BYTES,
  REQUESTS_ROOM,
} from '../../protocol/kernel/answer-kernel.js';
import type { OpenStream } from '../codec/compression.js';
import { checkName } from '../files/dir.js';
import { callsForKernel } from '../libc/files.js';
import { addressOf, libcLoaded } from '../libc/libc.js';
import type { Progress } from '../report/progress.js';
import { countTransferred } from '../session/engine.js';
import { handsOver, streamLengths } from '../session/hand-over.js';
import type { ItemLog } from '../session/item-log.js';
import type { Session } from '../session/session.js';
import { allows, Shortcut } from '../session/shortcuts.js';
import type { FileSender } from './file-sender.js';
import type { Scanner } from './scan/scan.js';
import type { SourceFiles } from './sources/source-files.js';

/** Requests that are answered one by one first: for a few, the kernel would not be worth its start. */
const FIRST = 100;
/** Requests that go the other way after one that was not plain, when there is one after the other: twice as many each time. */
const LONGEST_PAUSE = 32;
/** Item flags and sum head of a plain request. */
const REST_BYTES = 18;
const CLOSE_ON_EXEC = 0o2000000;
/** Largest file that is handed over in a run: sizes have 31 bits there. */
const LARGEST = 0x7fff_ffff;

/** Whether requests of this run may be answered by `AnswerRuns`: what wants to know about a file may learn of several at once. */
function takesRuns(
  session: Session,
  itemLog: ItemLog,
  scanner: Scanner,
  progress: Progress | null,
  stream: OpenStream | null,
): boolean {
  const { options: o, algorithms, protocol } = session;
  return (
    protocol >= 30 &&
    (itemLog.isSilent || itemLog.beforeTransfer) &&
    progress === null &&
    allows(o, Shortcut.ANSWERS) &&
    !scanner.mayFollow &&
    (algorithms.compression === 'none' || (stream !== null && stream.calls !== null)) &&
    (algorithms.transferSum === 'xxh128' || handsOver(session, itemLog))
  );
}

/**
 * Answers requests for whole small files in runs, as far as they follow each other in the reader's window: a kernel reads the
 * requests, opens and reads the files, and writes the answers. What is not plain is left to `Answer`, which does it again
 * from the start: a file that cannot be opened, is not what was listed, or is large.
 */
export class AnswerRuns {
  private kernel: AnswerKernel | null = null;
  /** Where the kernel's memory is. */
  private memory = 0;
  private pause = FIRST;
  private nextPause = 0;
  private readonly handsOver: boolean;
  // The run: its list, chunk, place of the rows in that, and what its requests say.
  private segment!: Segment;
  private chunk!: Chunk;
  private readonly places = new Int32Array(ANSWER_ROWS);
  /** Rows and places of the run follow each other. */
  private isPlain = false;
  private iflags = 0;

  /** null where every request has to be answered by itself. */
  static create(
    session: Session,
    itemLog: ItemLog,
    scanner: Scanner,
    progress: Progress | null,
    files: FileSender,
    sources: SourceFiles,
  ): AnswerRuns | null {
    if (!takesRuns(session, itemLog, scanner, progress, files.stream)) return null;
    return new AnswerRuns(session, itemLog, scanner, files, sources);
  }

  private constructor(
    private readonly session: Session,
    private readonly itemLog: ItemLog,
    private readonly scanner: Scanner,
    private readonly files: FileSender,
    private readonly sources: SourceFiles,
  ) {
    this.handsOver = handsOver(session, itemLog);
  }

  /** Answers what comes next, as far as it is plain. Returns the list that it was in, null when nothing was answered. */
  next(): Segment | null {
    if (this.pause > 0) {
      this.pause--;
      return null;
    }
    const { reader } = this.session.connection;
    const length = Math.min(reader.available(), REQUESTS_ROOM);
    if (length < REQUEST_BYTES || !libcLoaded()) return null;
    const { stream } = this.files;
    if (stream !== null && stream.calls === null) return null;
    if (this.handsOver && this.session.connection.handOver!.room === 0) return null;
    const kernel = this.kernel ?? this.start();
    kernel.bytes.set(reader.buf.subarray(reader.pos, reader.pos + length), AnswerPlace.REQUESTS);
    kernel.state[AnswerState.LAST_IN] = this.session.ndxIn.positive;
    kernel.state[AnswerState.LAST_OUT] = this.session.ndxOut.positive;
    const done = this.answer(kernel, this.findRows(kernel, kernel.wasm.readRequests(length)));
    if (done === 0) {
      this.pause = this.nextPause;
      this.nextPause = Math.min(LONGEST_PAUSE, 2 * this.nextPause + 1);
      return null;
    }
    this.nextPause = 0;
    this.note(kernel, done);
    return this.segment;
  }

  private start(): AnswerKernel {
    const kernel = new AnswerKernel(callsForKernel(), this.files.stream?.calls ?? undefined);
    this.memory = addressOf(kernel.bytes);
    this.kernel = kernel;
    return kernel;
  }

  /** Finds the rows of the first requests that are for files of one directory, not sent yet. Returns how many these are. */
  private findRows(kernel: AnswerKernel, count: number): number {
    const { list } = this.session;
    const segment = count === 0 ? null : list.segments.of(kernel.ndxs[0]);
    if (segment === null || kernel.ndxs[0] < segment.firstNdx) return 0;
    const { firstNdx } = segment;
    const end = firstNdx + segment.count;
    const first = rowOf(segment, kernel.ndxs[0]);
    const chunk = list.chunkOf(first);
    const dir = chunk.dir[rowIn(first)];
    const base = chunk.base.get(rowIn(first));
    const largest = this.handsOver ? LARGEST : CHUNK_SIZE;
    const { ndxs, names, sizes } = kernel;
    this.segment = segment;
    this.chunk = chunk;
    this.isPlain = false;
    const plain = this.findPlain(kernel, count, first, largest);
    if (plain > 0) return plain;
    let i = 0;
    for (; i < count && ndxs[i] < end; i++) {
      const row = rowOf(segment, ndxs[i]);
      const at = rowIn(row);
      const size = chunk.size.get(at);
      if (list.chunkOf(row) !== chunk || chunk.dir[at] !== dir || chunk.base.get(at) !== base) break;
      if (chunk.flags[at] !== 0 || (chunk.mode[at] & S_IFMT) !== S_IFREG || size > largest) break;
      this.places[i] = at;
      names[i] = chunk.nameOffset[at];
      sizes[i] = size;
    }
    return i;
  }

  /**
   * The same for requests that follow each other, for rows of a plain list that do so from `first` on: nothing but copies of columns.
   * 0: it is not so.
   */
  private findPlain({ ndxs, names, sizes }: AnswerKernel, count: number, first: number, largest: number): number {
    const { segment, chunk } = this;
    const at = rowIn(first);
    const most = Math.min(count, segment.firstNdx + segment.count - ndxs[0], CHUNK_ROWS - at);
    if (!segment.isPlain || segment.numbers !== null || ndxs[most - 1] - ndxs[0] !== most - 1) return 0;
    if (!chunk.base.isUniform(at, most) || !chunk.size.copyTo(sizes, at, most)) return 0;
    const plain = countPlain(chunk.flags, at, sizes, most, largest);
    names.set(chunk.nameOffset.subarray(at, at + plain));
    this.places[0] = at;
    this.isPlain = plain > 0;
    return plain;
  }

  /** Answers the first `count` requests, as far as that is possible; returns how many were. */
  private answer(kernel: AnswerKernel, count: number): number {
    if (count === 0) return 0;
    const first = rowOf(this.segment, kernel.ndxs[0]);
    const dir = this.sources.heldDirectory(first);
    if (dir < 0) return 0;
    if (this.sources.isConfined) this.checkNames(count);
    this.iflags = kernel.bytes.readUInt16LE(AnswerPlace.REQUESTS + kernel.ends[0] - REST_BYTES);
    const arena = addressOf(this.chunk.arena);
    const openFlags = this.scanner.openFlags(first) | CLOSE_ON_EXEC;
    return this.handsOver
      ? this.give(kernel, count, dir, arena, openFlags)
      : this.send(kernel, count, dir, arena, openFlags);
  }

  private checkNames(count: number): void {
    const { arena, nameOffset, nameLength } = this.chunk;
    for (let i = 0; i < count; i++) {
      const at = this.isPlain ? this.places[0] + i : this.places[i];
      checkName(arena, nameOffset[at], nameOffset[at] + nameLength[at]);
    }
  }

  private send(kernel: AnswerKernel, count: number, dir: number, arena: number, openFlags: number): number {
    const { connection } = this.session;
    let done = 0;
    while (done < count && !connection.congested) {
      const from = done;
      done = this.fill(kernel, [from, count, dir, arena, openFlags, this.memory, this.iflags]);
      if (done === from) break;
      this.write(kernel);
    }
    return done;
  }

  /** Makes answers until the kernel's room is full; returns the request behind the last one. */
  private fill({ wasm }: AnswerKernel, run: AnswerRun): number {
    if (this.files.stream === null) return wasm.sendFiles(...run);
    const done = wasm.packFiles(...run);
    if (done < 0) throw new RsyncError(Exit.STREAMIO, 'zstd: damaged stream');
    return done;
  }

  private give(kernel: AnswerKernel, count: number, dir: number, arena: number, openFlags: number): number {
    const { session } = this;
    const { connection } = session;
    const handOver = connection.handOver!;
    const most = Math.min(count, handOver.room);
    const done = kernel.wasm.openFiles(0, most, dir, arena, openFlags, this.memory, this.iflags);
    const { ndxs, fds, sizes } = kernel;
    if (this.isPlain) handOver.giveRun(ndxs, rowOf(this.segment, ndxs[0]), fds, sizes, done);
    else for (let i = 0; i < done; i++) handOver.give(ndxs[i], rowOf(this.segment, ndxs[i]), fds[i], sizes[i]);
    this.write(kernel);
    connection.carried(streamLengths(session, sizes, done), 0);
    return done;
  }

  /** Puts the kernel's answers into the outgoing page, in one piece. */
  private write(kernel: AnswerKernel): void {
    const used = kernel.state[AnswerState.USED];
    const { writer } = this.session.connection;
    writer.ensure(used);
    writer.buf.set(kernel.bytes.subarray(AnswerPlace.OUT, AnswerPlace.OUT + used), writer.pos);
    writer.pos += used;
  }

  /** The first `count` requests are answered. */
  private note(kernel: AnswerKernel, count: number): void {
    const { session, files } = this;
    const { stats, ndxIn, ndxOut } = session;
    const { reader } = session.connection;
    const { places, isPlain } = this;
    const { flags } = this.chunk;
    if (isPlain) flags.fill(EntryFlag.FILE_SENT, places[0], places[0] + count);
    else for (let i = 0; i < count; i++) flags[places[i]] = EntryFlag.FILE_SENT;
    const bytes = sumOf(kernel.sizes, count);
    stats.transferredFiles += count;
    stats.transferredSize += bytes;
    if ((this.iflags & Item.IS_NEW) !== 0) {
      stats.created.total += count;
      stats.created.reg += count;
    }
    files.counts.literalBytes += bytes;
    files.stream?.took(bytes);
    countTransferred(count);
    ndxIn.positive = kernel.ndxs[count - 1];
    ndxOut.positive = kernel.state[AnswerState.LAST_OUT];
    reader.pos += kernel.ends[count - 1];
    reader.begin();
    if (!this.itemLog.isSilent) this.logItems(kernel, count);
  }

  private logItems(kernel: AnswerKernel, count: number): void {
    const { list } = this.session;
    const { segment, iflags } = this;
    for (let i = 0; i < count; i++) {
      const row = rowOf(segment, kernel.ndxs[i]);
      this.itemLog.transfer({ list, row, iflags, xname: null, sourcePath: this.scanner.writtenDir(row) });
    }
  }
}

// Loops of their own: V8 makes fast code of them in a moment, and of the functions around them only late.

/** How many of the first `count` rows from place `at` on have no flags, and are not longer than `largest`. */
function countPlain(flags: Uint16Array, at: number, sizes: Int32Array, count: number, largest: number): number {
  let i = 0;
  while (i < count && flags[at + i] === 0 && sizes[i] <= largest) i++;
  return i;
}

function sumOf(values: Int32Array, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += values[i];
  return sum;
}
