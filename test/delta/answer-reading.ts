import { NdxReader } from '../../protocol/bytes/ndx.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { Item, MPLEX_BASE, NDX_DONE } from '../../protocol/constants.js';
import { readSumHead } from '../../protocol/delta/blocks.js';
import { Answers, type FileAnswers, Record } from '../../protocol/delta/file-answers.js';
import { Token, type TokenReader } from '../../protocol/delta/tokens.js';
import { RsyncError } from '../../protocol/errors.js';
import { type Digest, oneShot } from '../../protocol/hash/digest.js';
import { ItemHeader, readItemHeader } from '../../protocol/request.js';
import type { Random } from '../lib/random.js';

/*
 * Readers of answers for tests: one by one as the code in TypeScript does, and in runs where there are such.
 */
export const PROTOCOL = 32;
export const SUM_LENGTH = 16;

/** The bytes as frames, some of them empty or with nothing for the stream. */
export function framed(random: Random, bytes: Buffer, longest: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const n = Math.min(bytes.length - at, random.chance(5) ? 0 : 1 + random.int(longest));
    const head = Buffer.alloc(4);
    head.writeUInt32LE(n | (MPLEX_BASE << 24));
    parts.push(head, bytes.subarray(at, at + n));
    at += n;
  }
  return Buffer.concat(parts);
}

/** The bytes in pieces, as they may arrive. */
export function pieces(random: Random, bytes: Buffer, longest: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunks[chunks.length - 1].length) {
    chunks.push(bytes.subarray(at, at + 1 + random.int(longest)));
  }
  return chunks;
}

/** Reads answers in runs. */
export interface Runs {
  readonly answers: FileAnswers;
  /** How many of the `count` answers that lie ready are taken. */
  taken(count: number): number;
  /** The content of the k-th of those. */
  content(k: number): Uint8Array;
}

/** Reads what the code in TypeScript says of the answers, and what the runs say where they say something. */
export class Reading {
  readonly lines: string[] = [];
  inRuns = 0;
  private next = 0;
  private readonly reader = new ByteReader();
  private readonly ndxIn = new NdxReader(PROTOCOL);
  private readonly item = new ItemHeader();
  private readonly sum = Buffer.alloc(SUM_LENGTH);

  constructor(
    private readonly chunks: Buffer[],
    private readonly digest: Digest,
    private readonly tokens: TokenReader,
    private readonly runs: Runs | null,
  ) {
    this.reader.startFrames(() => {});
  }

  /** Repeats a step until there is enough for it; false at the end. */
  private enough(step: () => boolean): boolean {
    while (!step()) {
      const chunk = this.chunks[this.next++];
      if (chunk === undefined) return false;
      this.reader.push(chunk);
    }
    return true;
  }

  all(): this {
    try {
      while (this.takeRuns() && this.one());
      this.lines.push(`${this.reader.buffered} bytes are left`);
    } catch (error) {
      if (!(error instanceof RsyncError)) throw error;
      this.lines.push(`${error.exitCode} ${error.message}`);
    }
    return this;
  }

  private takeRuns(): boolean {
    const { runs, reader, ndxIn } = this;
    if (runs === null) return true;
    const { answers } = runs;
    return this.enough(() => {
      for (;;) {
        const count = answers.read(reader, ndxIn);
        if (count <= 0) return count === Answers.OTHER;
        const n = runs.taken(count);
        for (let k = 0; k < n; k++) {
          const at = k * Record.WORDS;
          const data = Buffer.from(runs.content(k));
          this.file(answers.records[at + Record.NDX], answers.records[at + Record.FLAGS], data, true);
        }
        answers.pass(reader, ndxIn, n);
        this.inRuns += n;
        if (n < count) return true;
      }
    });
  }

  private file(ndx: number, iflags: number, data: Buffer, isRight: boolean): void {
    this.lines.push(`${ndx} ${iflags} ${data.length} ${oneShot('sha1', [data]).toString('hex')} ${isRight}`);
  }

  private one(): boolean {
    const { reader, ndxIn, item } = this;
    let ndx = 0;
    const hasIndex = this.enough(() => {
      reader.begin();
      ndx = ndxIn.read(reader);
      return reader.done();
    });
    if (!hasIndex) return false;
    if (ndx === NDX_DONE) {
      this.lines.push('done');
      return true;
    }
    if (!this.enough(() => readItemHeader(reader, PROTOCOL, item))) return false;
    if ((item.iflags & Item.TRANSFER) === 0) {
      this.lines.push(`${ndx} ${item.iflags}`);
      return true;
    }
    return this.enough(() => readSumHead(reader, PROTOCOL, SUM_LENGTH) !== null) && this.content(ndx);
  }

  private content(ndx: number): boolean {
    const { reader, digest, sum, tokens } = this;
    const parts: Buffer[] = [];
    tokens.start();
    digest.init();
    const isWhole = this.enough(() => {
      for (;;) {
        const kind = tokens.next(reader);
        if (kind === Token.SHORT || kind === Token.END) return kind === Token.END;
        if (kind === Token.MATCH) continue;
        digest.update(tokens.data, tokens.from, tokens.to);
        parts.push(Buffer.from(tokens.data.subarray(tokens.from, tokens.to)));
      }
    });
    const hasSum =
      isWhole &&
      this.enough(() => {
        reader.begin();
        reader.copyTo(sum, 0, SUM_LENGTH);
        return reader.done();
      });
    if (!hasSum) return false;
    const own = Buffer.alloc(SUM_LENGTH);
    digest.final(own, 0);
    this.file(ndx, this.item.iflags, Buffer.concat(parts), own.equals(sum));
    return true;
  }
}
