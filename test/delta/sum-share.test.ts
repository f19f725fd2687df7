import t from 'tap';
import { type SumHead, SumWriter } from '../../protocol/delta/blocks.js';
import { SumHelper, SumLeader } from '../../protocol/delta/sum-share.js';
import { createBlockDigest } from '../../protocol/hash/digest.js';
import { Kernel } from '../../protocol/kernel/kernel.js';
import { SumKernel } from '../../protocol/kernel/sum-kernel.js';
import { Random } from '../lib/random.js';
import { recorder } from './recorder.js';

const CONTEXT = { protocol: 32, seed: 3, seedFix: true, explicit: true };
const PIECE = 256 * 1024;
const BLOCK = 64 * 1024;

function kernel(): SumKernel {
  const made = new SumKernel(new Kernel());
  made.kernel.wasm.xxh128Seed(BigInt(CONTEXT.seed));
  return made;
}

function basis(pieces: number): { bytes: Buffer; head: SumHead } {
  const bytes = new Random(pieces).bytes(pieces * PIECE - 100_000);
  const remainder = bytes.length % BLOCK;
  return { bytes, head: { count: Math.ceil(bytes.length / BLOCK), blockLength: BLOCK, sumLength: 5, remainder } };
}

async function expected(bytes: Buffer, head: SumHead): Promise<Buffer> {
  const recorded = recorder();
  new SumWriter(await createBlockDigest('xxh128', CONTEXT)).write(recorded.w, bytes, 0, bytes.length, head);
  return recorded.bytes();
}

const reading = (bytes: Buffer) => (target: Uint8Array, at: number, length: number, offset: number) => {
  target.set(bytes.subarray(offset, offset + length), at);
  return Math.min(length, bytes.length - offset);
};

function rest(leader: SumLeader): Buffer[] {
  const out: Buffer[] = [];
  while (!leader.isDone) {
    const sums = leader.step();
    if (sums !== null) out.push(Buffer.from(sums));
  }
  return out;
}

t.test('what the helper has summed is not read again', async (t) => {
  const { bytes, head } = basis(20);
  const leader = new SumLeader(head, kernel(), () => {
    throw new Error('read again');
  });
  new SumHelper(leader.memory, head, kernel(), reading(bytes)).run();
  t.ok(Buffer.concat(rest(leader)).equals(await expected(bytes, head)));
});

t.test('what the helper does not finish is done without it, and comes too late', async (t) => {
  const { bytes, head } = basis(200);
  const read: number[] = [];
  const leader = new SumLeader(head, kernel(), (target, at, length, offset) => {
    read.push(offset);
    return reading(bytes)(target, at, length, offset);
  });
  const sums: Buffer[] = [];
  let calls = 0;
  const helper = new SumHelper(leader.memory, head, kernel(), (target, at, length, offset) => {
    // While it reads its second piece, the other one gets beyond where that piece's slot is used again.
    if (++calls === 2) for (let i = 0; i < 150; i++) sums.push(Buffer.from(leader.step() ?? []));
    // What it has read by then is not what is there.
    return calls === 2 ? 0 : reading(bytes)(target, at, length, offset);
  });
  while (calls < 4) {
    helper.step();
    sums.push(Buffer.from(leader.step() ?? []));
  }
  sums.push(...rest(leader));
  t.ok(Buffer.concat(sums).equals(await expected(bytes, head)));
  t.equal(new Set(read).size, read.length, 'nothing is done twice');
});

t.test('nobody goes further than there are slots', async (t) => {
  const { bytes, head } = basis(100);
  const leader = new SumLeader(head, kernel(), reading(bytes));
  const helper = new SumHelper(leader.memory, head, kernel(), reading(bytes));
  let ahead = 0;
  while (helper.step()) ahead++;
  t.equal(ahead, 64);
  t.ok(leader.step());
  t.ok(helper.step());
  t.notOk(helper.step());
  t.ok(leader.step());
  const all = await expected(bytes, head);
  t.ok(Buffer.concat(rest(leader)).equals(all.subarray(((2 * PIECE) / BLOCK) * 9)));
});
