import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { BlockSums, chooseSumHead, SumWriter } from '../../protocol/delta/blocks.js';
import type { SearchAhead } from '../../protocol/delta/lookout.js';
import { BlockSearch } from '../../protocol/delta/search.js';
import { createBlockDigest, createFileDigest } from '../../protocol/hash/digest.js';
import { LookoutThread } from '../../src/sending/lookout/thread.js';
import { recorder } from '../delta/recorder.js';
import { Random } from '../lib/random.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

const CONTEXT = { protocol: 32, seed: 3, seedFix: true, explicit: true };
const MIB = 1024 * 1024;
const SIZE = 96 * MIB;
const DEADLINE = 20_000;

/** Lets the search wait until the thread has said something, once: on a busy machine the search might be done before. */
class Patient implements SearchAhead {
  jumped = 0;
  private waits = true;

  constructor(private readonly thread: LookoutThread) {}

  note(offset: number, run: number): void {
    this.thread.note(offset, run);
  }

  clearUpTo(offset: number): number {
    const clear = this.thread.clearUpTo(offset);
    this.jumped += clear - offset;
    return clear;
  }

  claim(offset: number, to: number): number {
    const end = this.thread.claim(offset, to);
    if (this.waits && offset > 20 * MIB) this.waitFor(end + 512 * 1024);
    return end;
  }

  private waitFor(offset: number): void {
    this.waits = false;
    const nobody = new Int32Array(new SharedArrayBuffer(4));
    const deadline = Date.now() + DEADLINE;
    while (this.thread.clearUpTo(offset) === offset && Date.now() < deadline) Atomics.wait(nobody, 0, 0, 2);
  }
}

const digest = await createBlockDigest('xxh128', CONTEXT);
const fileDigest = await createFileDigest('xxh128', CONTEXT);

function sumsOf(basis: Buffer): BlockSums {
  const head = chooseSumHead(basis.length, { protocol: 32, blockSize: 0, digestLength: 16, redo: false });
  const { w, bytes } = recorder();
  new SumWriter(digest).write(w, basis, 0, basis.length, head);
  const r = new ByteReader();
  r.push(bytes());
  const sums = new BlockSums();
  sums.start(head);
  sums.read(r);
  return sums;
}

/** The tokens of an open file as text: `+` and a length, or the number of a block. */
function tokens(fd: number, sums: BlockSums, ahead: SearchAhead | null): string {
  const search = new BlockSearch(digest, fileDigest);
  const found: string[] = [];
  let fresh = 0;
  const endLiteral = (): void => {
    if (fresh > 0) found.push(`+${fresh}`);
    fresh = 0;
  };
  const sink = {
    literal: (_: Uint8Array, from: number, to: number): void => {
      fresh += to - from;
    },
    match: (block: number): void => {
      endLiteral();
      found.push(String(block));
    },
  };
  let done = 0;
  search.start(sums, SIZE, false, ahead);
  const read = (target: Uint8Array, at: number, length: number): number => {
    const n = readSync(fd, target, at, length, done);
    done += n;
    return n;
  };
  while (!search.step(read, sink));
  endLiteral();
  const sum = Buffer.alloc(16);
  fileDigest.final(sum, 0);
  return `${found.join(' ')} ${sum.toString('hex')}`;
}

t.test('a thread looks ahead in one file after the other', { skip: availableParallelism() < 2 }, async (t) => {
  const dir = tempDir(t);
  const random = new Random(3);
  const basis = random.bytes(4 * MIB);
  const sums = sumsOf(basis);
  const thread = LookoutThread.create()!;
  const file = Buffer.alloc(SIZE);
  for (let at = 0; at < SIZE; at += MIB) random.bytes(4096 + at / MIB).copy(file, at);
  for (const name of ['first', 'second']) {
    for (let at = 25 * MIB; at < SIZE; at += 7 * MIB) basis.copy(file, at + random.int(5000), 100_000, 150_000);
    writeFileSync(join(dir, name), file);
    const fd = openSync(join(dir, name), 'r');
    thread.begin(fd, SIZE, sums);
    const ahead = new Patient(thread);
    const together = tokens(fd, sums, ahead);
    thread.end();
    t.equal(together, tokens(fd, sums, null), `${name}: ${together.split(' ').length} tokens`);
    t.ok(together.split(' ').length > 20, 'blocks were found');
    t.ok(ahead.jumped > MIB, `${ahead.jumped} bytes were jumped over`);
    closeSync(fd);
    await waitFor(() => LookoutThread.isFree, DEADLINE, 'the thread');
  }
});
