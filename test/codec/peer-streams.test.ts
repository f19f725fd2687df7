import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { chooseSumHead, writeSumHead } from '../../protocol/delta/blocks.js';
import { CompressedTokenReader, CompressedTokenWriter } from '../../protocol/delta/compressed.js';
import type { TokenReader, TokenWriter } from '../../protocol/delta/tokens.js';
import { PlainTokenReader, PlainTokenWriter } from '../../protocol/delta/tokens.js';
import { createCompressor, createDecompressor } from '../../src/codec/index.js';
import { recorder } from '../delta/recorder.js';
import { joinLiterals, readTokens, writePieces } from '../delta/token-streams.js';
import { type RunningDaemon, startDaemon } from '../lib/daemon.js';
import { RSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { type Relay, startRelay } from '../lib/relay.js';
import { run } from '../lib/run.js';
import { type Teardown, tempDir } from '../lib/temp.js';

/** Bytes of the whole-file sum of all checksums that these sessions use. */
const SUM = 16;

const ZSTD_MAGIC = 4;
/** Flag and length of a data frame. */
const FRAME_HEAD = 2;

interface Stage {
  dir: string;
  daemon: RunningDaemon;
  relay: Relay;
}

async function setUp(t: Teardown): Promise<Stage> {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'to'));
  const module = { path: join(dir, 'to'), 'read only': 'no' };
  const daemon = await startDaemon(t, RSYNC, { dir: join(dir, 'daemon'), modules: { to: module } });
  return { dir, daemon, relay: await startRelay(t, daemon.port) };
}

/** What a real client sends when it pushes `file` over `basis`. */
async function record(stage: Stage, file: Buffer, basis: Buffer, options: string[]): Promise<Buffer> {
  writeFileSync(join(stage.dir, 'file'), file);
  writeFileSync(join(stage.dir, 'to', 'file'), basis);
  const args = ['-I', '--no-whole-file', '--checksum-seed=1', ...options];
  const result = await run('rsync', [...args, join(stage.dir, 'file'), `rsync://127.0.0.1:${stage.relay.port}/to/`]);
  if (result.code !== 0) throw new Error(result.stderr);
  return Buffer.concat(stage.relay.sessions[stage.relay.sessions.length - 1].c2s);
}

/** Says the same to the daemon once more, whatever it answers, and returns the file that results. */
async function replay(stage: Stage, basis: Buffer, said: Buffer): Promise<Buffer> {
  writeFileSync(join(stage.dir, 'to', 'file'), basis);
  const socket = connect(stage.daemon.port, '127.0.0.1');
  await new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', resolve);
    socket.resume();
    socket.write(said);
  });
  return readFileSync(join(stage.dir, 'to', 'file'));
}

/** Splits a stream into the bytes before its frames and the data in them: frames have to fill the rest exactly. */
function unframe(said: Buffer): { raw: Buffer; data: Buffer } {
  for (let start = 0; start < said.length; start++) {
    const parts: Buffer[] = [];
    let at = start;
    while (at + 4 <= said.length && said[at + 3] === 7) {
      const length = said.readUIntLE(at, 3);
      parts.push(said.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    if (at === said.length) return { raw: said.subarray(0, start), data: Buffer.concat(parts) };
  }
  return { raw: said, data: Buffer.alloc(0) };
}

/** The payloads of the data frames that follow each other from `at` on, as one. */
function payloads(data: Buffer, at: number): Buffer {
  const parts: Buffer[] = [];
  while ((data[at] & 0xc0) === 0x40) {
    const end = at + 2 + (((data[at] & 0x3f) << 8) | data[at + 1]);
    parts.push(data.subarray(at + 2, end));
    at = end;
  }
  return Buffer.concat(parts);
}

/** What is used of a test. */
interface Asserts {
  ok(value: boolean, message: string): unknown;
}

interface Form {
  name: string;
  reader(): TokenReader;
  writer(w: ReturnType<typeof recorder>['w']): TokenWriter;
}

function formOf(name: string, protocol: number): Form {
  return {
    name,
    reader: () =>
      name === 'none' ? new PlainTokenReader() : new CompressedTokenReader(createDecompressor(name, protocol)),
    writer: (w) =>
      name === 'none'
        ? new PlainTokenWriter(w)
        : new CompressedTokenWriter(w, createCompressor({ name, level: null, protocol, threads: 0 })),
  };
}

/** A basis, and a file of old and new parts, where new text also repeats text of old parts. */
function makeFiles(blockLength: number): { basis: Buffer; file: Buffer } {
  const random = new Random(blockLength);
  const basis = Buffer.concat([random.bytes(5 * blockLength), random.bytes(5 * blockLength + 99, true)]);
  const file = Buffer.concat([
    random.bytes(40_000, true),
    basis.subarray(0, 3 * blockLength),
    // What the history of zlib holds after long blocks, by the rules of old and of new protocols.
    basis.subarray(2 * blockLength + 40_000, 2 * blockLength + 60_000),
    basis.subarray(3 * blockLength - 25_000, 3 * blockLength - 1000),
    random.bytes(20_000),
    basis.subarray(4 * blockLength),
  ]);
  return { basis, file };
}

/** Reads a recorded token stream, and lets the real receiver read the same file as written here. */
async function compare(t: Asserts, stage: Stage, form: Form, protocol: number, blockLength: number): Promise<void> {
  const what = `${form.name}, protocol ${protocol}, blocks of ${blockLength}`;
  const { basis, file } = makeFiles(blockLength);
  const options = [`--protocol=${protocol}`, `-B${blockLength}`];
  if (form.name !== 'none') options.push('-z', `--compress-choice=${form.name}`);
  const said = await record(stage, file, basis, options);
  const { raw, data } = protocol >= 30 ? unframe(said) : { raw: Buffer.alloc(0), data: said };
  const { w, bytes } = recorder();
  writeSumHead(w, chooseSumHead(basis.length, { protocol, blockSize: blockLength, digestLength: SUM, redo: false }));
  const head = bytes();
  const start = data.indexOf(head) + head.length;
  const r = new ByteReader();
  r.push(data.subarray(start));
  const pieces = joinLiterals(readTokens(r, form.reader(), [], basis, blockLength));
  const read = pieces.map((piece) =>
    typeof piece === 'string'
      ? Buffer.from(piece, 'latin1')
      : basis.subarray(piece * blockLength, (piece + 1) * blockLength),
  );
  t.ok(Buffer.concat(read).equals(file), `reads what rsync wrote: ${what}`);
  t.ok(pieces.filter((piece) => typeof piece === 'number').length >= 8, 'with matches in it');

  const mine = recorder();
  mine.w.bytes(raw);
  if (protocol >= 30) mine.w.startFrames();
  mine.w.bytes(data.subarray(0, start));
  writePieces(form.writer(mine.w), pieces, basis, blockLength);
  mine.w.bytes(r.takeRest());
  const result = await replay(stage, basis, mine.bytes());
  t.ok(result.equals(file), `rsync reads what was written here: ${what}`);
}

t.test('token streams of the real rsync', async (t) => {
  const stage = await setUp(t);
  const sessions: [string, number, number][] = [
    ['none', 29, 700],
    ['none', 32, 700],
    ['zlib', 29, 100_000],
    ['zlib', 30, 131_072],
    ['zlib', 31, 131_072],
    ['zlib', 32, 700],
    ['zlibx', 29, 700],
    ['zlibx', 32, 131_072],
    ['zstd', 31, 700],
    ['zstd', 32, 131_072],
    ['lz4', 32, 700],
    ['lz4', 30, 100_000],
  ];
  for (const [name, protocol, blockLength] of sessions) {
    await compare(t, stage, formOf(name, protocol), protocol, blockLength);
  }
});

t.test('a level of zstd that is asked for is that of rsync', async (t) => {
  const stage = await setUp(t);
  const file = new Random(12).bytes(500_000, true);
  for (const level of [1, 3, 5, 12, -3]) {
    const said = await record(stage, file, Buffer.alloc(0), ['-z', '--zc=zstd', `--zl=${level}`]);
    const { w, bytes } = recorder();
    const codec = { name: 'zstd', level, protocol: 32, threads: 0 };
    writePieces(new CompressedTokenWriter(w, createCompressor(codec)), [file.toString('latin1')]);
    const mine = payloads(bytes(), 0);
    const { data } = unframe(said);
    const theirs = payloads(data, data.indexOf(mine.subarray(0, ZSTD_MAGIC)) - FRAME_HEAD);
    t.ok(theirs.equals(mine), `level ${level}: ${mine.length} bytes, rsync ${theirs.length}`);
  }
});
