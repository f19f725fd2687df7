import fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { NdxReader, NdxWriter } from '../../protocol/bytes/ndx.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { Basis, Item } from '../../protocol/constants.js';
import { EMPTY_HEAD, readSumHead, writeSumHead } from '../../protocol/delta/blocks.js';
import { CompressedTokenWriter } from '../../protocol/delta/compressed.js';
import { PlainTokenWriter } from '../../protocol/delta/tokens.js';
import { ProtocolError } from '../../protocol/errors.js';
import { createFileDigest } from '../../protocol/hash/digest.js';
import { AnswerKernel, AnswerPlace, AnswerState, type PackCalls } from '../../protocol/kernel/answer-kernel.js';
import { ItemHeader, readItemHeader, writeItem } from '../../protocol/request.js';
import { createCompressor } from '../../src/codec/index.js';
import { hasZstd } from '../../src/codec/zstd.js';
import { callsForKernel } from '../../src/libc/files.js';
import { addressOf, hasLibc } from '../../src/libc/libc.js';
import { collector } from '../flist/capture.js';
import { Random } from '../lib/random.js';
import { tempDir } from '../lib/temp.js';

/*
 * The kernels that answer requests for whole files in runs, against the code that answers one by one.
 */
const PROTOCOL = 31;
const NEW = Item.TRANSFER | Item.IS_NEW;
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

if (!hasLibc()) throw new Error('these tests need koffi');
if (!hasZstd()) throw new Error('these tests need libzstd');
/** Of the run of files that is answered. */
let stream: PackCalls;
const kernel = new AnswerKernel(callsForKernel(), { pack: (...file) => stream.pack(...file) });
const ZSTD = { name: 'zstd', level: null, protocol: PROTOCOL, threads: 0 };

/** Requests as a generator may send them: long stretches of plain ones, and others of all kinds in between. */
function requests(random: Random, first: number): Buffer {
  const { writer, taken } = collector();
  const ndxOut = new NdxWriter(PROTOCOL);
  ndxOut.positive = first;
  let ndx = first;
  for (let i = 0; i < 40; i++) {
    const odd = random.chance(10);
    ndx = odd ? random.pick([ndx, Math.max(0, ndx - 3), 0x7fff_ffff, ndx + 300, -5, -1]) : ndx + 1 + random.int(260);
    if (ndx > 0x7fff_ffff) ndx = 7;
    if (ndx < 0) {
      ndxOut.write(writer, ndx);
      ndx = Math.max(ndxOut.positive, 0);
      continue;
    }
    const iflags = random.chance(4) ? random.pick([0, Item.IS_NEW, Item.TRANSFER, NEW | Item.LOCAL_CHANGE]) : NEW;
    const basis = random.chance(3) ? Basis.PARTIAL_DIR : Basis.FNAME;
    writeItem(writer, ndxOut, PROTOCOL, ndx, iflags, basis, random.chance(3) ? Buffer.from('x') : null);
    const head = random.chance(4) ? { count: 1, blockLength: 700, sumLength: 2, remainder: 0 } : EMPTY_HEAD;
    writeSumHead(writer, random.chance(3) ? { ...EMPTY_HEAD, sumLength: 16, blockLength: 700 } : head);
  }
  return taken();
}

/** Reads the next request as the code does that reads one by one. Null when it is not plain, in whatever way. */
function plainNext(reader: ByteReader, ndxIn: NdxReader, item: ItemHeader): number | null {
  const before = ndxIn.positive;
  try {
    reader.begin();
    const ndx = ndxIn.read(reader);
    if (!reader.done() || ndx <= before || !readItemHeader(reader, PROTOCOL, item)) return null;
    const bits = item.iflags & (Item.TRANSFER | Item.BASIS_TYPE_FOLLOWS | Item.XNAME_FOLLOWS);
    const head = readSumHead(reader, PROTOCOL, 16);
    const isEmpty = head !== null && Object.values(head).every((value) => value === 0);
    return bits === Item.TRANSFER && isEmpty ? ndx : null;
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

/** What stands at the front of `bytes`: indexes and ends of plain requests with the same flags. */
function plainOnes(bytes: Buffer, last: number): { ndxs: number[]; ends: number[] } {
  const reader = new ByteReader();
  reader.push(bytes);
  const ndxIn = new NdxReader(PROTOCOL);
  ndxIn.positive = last;
  const item = new ItemHeader();
  const found = { ndxs: [] as number[], ends: [] as number[] };
  for (let iflags = -1; ; iflags = item.iflags) {
    const ndx = plainNext(reader, ndxIn, item);
    if (ndx === null || (iflags >= 0 && item.iflags !== iflags)) return found;
    found.ndxs.push(ndx);
    found.ends.push(reader.pos);
  }
}

t.test('requests, cut off at every byte', (t) => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = new Random(seed);
    const first = random.pick([-1, 0, 200, 70_000, 0x7fff_0000]);
    const bytes = requests(random, first);
    for (let from = 0, last = first; from < bytes.length; ) {
      const here = plainOnes(bytes.subarray(from), last);
      for (let length = 0; length <= bytes.length - from; length++) {
        kernel.bytes.set(bytes.subarray(from, from + length), AnswerPlace.REQUESTS);
        kernel.state[AnswerState.LAST_IN] = last;
        const count = kernel.wasm.readRequests(length);
        const whole = here.ends.filter((end) => end <= length).length;
        if (count !== whole) return t.fail(`seed ${seed}, from ${from}, ${length} bytes: ${count} and not ${whole}`);
      }
      const count = kernel.wasm.readRequests(bytes.length - from);
      t.strictSame([...kernel.ndxs.subarray(0, count)], here.ndxs);
      t.strictSame([...kernel.ends.subarray(0, count)], here.ends);
      // Behind the first one that is not plain, whatever it is by then.
      last = here.ndxs.at(-1) ?? last;
      from += (here.ends.at(-1) ?? 0) + 1;
    }
  }
  t.end();
});

interface Listed {
  ndx: number;
  name: string;
  size: number;
  content: Buffer;
}

/** Puts files into the kernel's run, their names into an arena. */
function load(files: readonly Listed[]): Buffer {
  const arena = Buffer.alloc(128 + files.length * 20);
  files.forEach((file, i) => {
    kernel.names[i] = i * 20;
    arena.write(`${file.name}\0`, i * 20, 'latin1');
    kernel.ndxs[i] = file.ndx;
    kernel.sizes[i] = file.size;
  });
  return arena;
}

type Kind = 'sendFiles' | 'packFiles' | 'openFiles';

/** The answers to all requests, by the code that answers one by one. */
async function oneByOne(files: readonly Listed[], lastOut: number, kind: Kind): Promise<Buffer> {
  const { writer, taken } = collector();
  const ndxOut = new NdxWriter(PROTOCOL);
  ndxOut.positive = lastOut;
  const isPacked = kind === 'packFiles';
  const tokens = isPacked ? new CompressedTokenWriter(writer, createCompressor(ZSTD)) : new PlainTokenWriter(writer);
  const digest = await createFileDigest('xxh128', { protocol: PROTOCOL, seed: 5, seedFix: true, explicit: true });
  const sum = Buffer.alloc(16);
  for (const { ndx, content } of files) {
    writeItem(writer, ndxOut, PROTOCOL, ndx, NEW, Basis.FNAME, null);
    writeSumHead(writer, EMPTY_HEAD);
    if (kind === 'openFiles') continue;
    tokens.start();
    tokens.literal(content, 0, content.length);
    tokens.end();
    digest.init();
    digest.update(content, 0, content.length);
    digest.final(sum, 0);
    writer.bytes(sum);
  }
  return taken();
}

t.test('answers', async (t) => {
  const path = tempDir(t);
  const dir = fs.openSync(path, O_RDONLY);
  t.teardown(() => fs.closeSync(dir));
  const memory = addressOf(kernel.bytes);
  const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
  const random = new Random(3);
  let ndx = -1;
  const files: Listed[] = [];
  for (let i = 0; i < 200; i++) {
    ndx += random.pick([1, 1, 1, 2, 253, 254, 0x7fff, 0x8000, 1_000_000]);
    const size = random.pick([0, 1, 16, 17, 240, 241, 1024, 4096, 32768, random.int(5000)]);
    // Noise, which does not fit into one frame, and text.
    const content = random.bytes(size, random.chance(50));
    files.push({ ndx, name: `f${i}`, size, content });
    fs.writeFileSync(join(path, `f${i}`), content);
  }
  const arena = load(files);
  /** Calls the kernel until it says no more; how far it came, and what it wrote. */
  const run = (kind: Kind, from: number, to: number): { done: number; bytes: Buffer } => {
    const parts: Buffer[] = [];
    stream = createCompressor(ZSTD).calls!;
    for (let at = from; ; ) {
      const next = kernel.wasm[kind](at, to, dir, addressOf(arena), flags, memory, NEW);
      const used = kernel.state[AnswerState.USED];
      parts.push(Buffer.from(kernel.bytes.subarray(AnswerPlace.OUT, AnswerPlace.OUT + used)));
      if (next === at || next === to) return { done: next, bytes: Buffer.concat(parts) };
      at = next;
    }
  };

  for (const kind of ['sendFiles', 'packFiles'] as const) {
    for (const lastOut of [-1, 0, 5_000_000]) {
      kernel.state[AnswerState.LAST_OUT] = lastOut;
      const all = run(kind, 0, files.length);
      t.equal(all.done, files.length);
      t.ok(all.bytes.equals(await oneByOne(files, lastOut, kind)), `${kind}: the bytes are the same`);
      t.equal(kernel.state[AnswerState.LAST_OUT], ndx);
    }
  }
  const open = fs.readdirSync('/proc/self/fd').length;
  kernel.state[AnswerState.LAST_OUT] = -1;
  const handed = run('openFiles', 0, files.length);
  t.ok(handed.bytes.equals(await oneByOne(files, -1, 'openFiles')), 'heads alone');
  t.equal(fs.readdirSync('/proc/self/fd').length, open + files.length);
  for (let i = 0; i < files.length; i++) {
    t.ok(fs.readFileSync(kernel.fds[i]).equals(files[i].content));
    fs.closeSync(kernel.fds[i]);
  }

  const changes: Record<string, (file: string) => void> = {
    'is gone': (file) => fs.rmSync(file),
    'is longer': (file) => fs.appendFileSync(file, 'x'),
    'is shorter': (file) => fs.truncateSync(file, 4),
    'is a link': (file) => {
      fs.renameSync(file, `${file}.moved`);
      fs.symlinkSync(`${file}.moved`, file);
    },
    'is a directory': (file) => {
      fs.rmSync(file);
      fs.mkdirSync(file);
    },
  };
  const places = [1, 0, 32768].map((least) =>
    files.findIndex(({ size }, i) => i > 0 && (least === 1 ? size > 4 : size === least)),
  );
  for (const [what, change, at] of places.flatMap((at) => Object.entries(changes).map((c) => [...c, at] as const))) {
    if (what === 'is shorter' && files[at].size === 0) continue;
    const file = join(path, files[at].name);
    change(file);
    // Whoever copies a file that is handed over finds out what it is.
    const isOpened = what !== 'is gone' && what !== 'is a link';
    for (const kind of ['sendFiles', 'packFiles', 'openFiles'] as const) {
      kernel.state[AnswerState.LAST_OUT] = -1;
      const { done, bytes } = run(kind, 0, files.length);
      const expected = kind === 'openFiles' && isOpened ? files.length : at;
      t.equal(done, expected, `a file that ${what}: ${kind}`);
      t.ok(bytes.equals(await oneByOne(files.slice(0, expected), -1, kind)));
      if (kind === 'openFiles') for (let i = 0; i < done; i++) fs.closeSync(kernel.fds[i]);
    }
    fs.rmSync(file, { recursive: true, force: true });
    fs.writeFileSync(file, files[at].content);
    t.equal(fs.readdirSync('/proc/self/fd').length, open, 'all is closed');
  }
});
