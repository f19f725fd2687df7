import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { CompressedTokenReader, CompressedTokenWriter } from '../../protocol/delta/compressed.js';
import { availableCompressions, createCompressor, createDecompressor } from '../../src/codec/index.js';
import { AsideCompressor } from '../../src/codec/thread/aside-compressor.js';
import { Connection } from '../../src/transport/connection.js';
import { joinLiterals, type Piece, readTokens, writePieces } from '../delta/token-streams.js';
import { Random } from '../lib/random.js';

const BLOCK = 700;
const BASIS: Buffer = new Random(1).bytes(300 * BLOCK, true);
const CODECS = availableCompressions().filter((name) => name !== 'none');
const DATA = 7;
/** On one core, no thread is started. */
/** As many threads as there may be while these tests run: on two cores a run itself starts none. */
const MOST = availableParallelism() - 1;
const THREADS = { skip: availableParallelism() < 2 && 'there is one core' };

/** A connection whose carrier keeps what it is given; `isSlow`: it takes nothing more until it is told to. */
class Recorded {
  readonly parts: Buffer[] = [];
  waiting: (() => void)[] = [];
  isSlow = false;
  readonly connection = new Connection({
    write: (view, sent) => {
      this.parts.push(Buffer.from(view));
      if (this.isSlow) this.waiting.push(sent);
      else setImmediate(sent);
    },
    pauseInput: () => {},
    resumeInput: () => {},
    endOutput: () => {},
    destroy: () => {},
  });

  /** The data without its frames, and the payloads of other messages. */
  streams(): { data: Buffer; messages: string[] } {
    const all = Buffer.concat(this.parts);
    const data: Buffer[] = [];
    const messages: string[] = [];
    for (let at = 0; at < all.length; ) {
      const head = all.readUInt32LE(at);
      const payload = all.subarray(at + 4, at + 4 + (head & 0xffffff));
      if (head >>> 24 === DATA) data.push(payload);
      else messages.push(payload.toString('latin1'));
      at += 4 + payload.length;
    }
    return { data: Buffer.concat(data), messages };
  }
}

const rest = () => new Promise((resolve) => setImmediate(resolve));

/** Some files of text, noise and blocks, with a few bytes of others between them. */
function someFiles(count: number, seed: number): Piece[][] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, i) => {
    const text = random.bytes(random.int(i % 7 === 0 ? 400_000 : 9000), true).toString('latin1');
    // Longer than a frame, so that some of it goes out before its end.
    const noise = random.bytes(random.int(i % 10 === 0 ? 90_000 : 3000)).toString('latin1');
    return i % 5 === 0 ? [text, 3, 4, noise, 200, text.slice(0, 100)] : [text];
  });
}

/** The same stream as `writeAside` makes, with nothing beside it. */
function writeHere(name: string, files: Piece[][]): Buffer {
  const recorded = new Recorded();
  const { writer } = recorded.connection;
  writer.startFrames();
  const tokens = new CompressedTokenWriter(writer, createCompressor({ name, level: null, protocol: 32, threads: 0 }));
  for (const [i, file] of files.entries()) {
    writer.i32(i);
    writePieces(tokens, file, BASIS, BLOCK);
  }
  writer.flush();
  return recorded.streams().data;
}

/** Until the thread has taken over, or the time is up. */
async function moved(aside: AsideCompressor): Promise<boolean> {
  const deadline = Date.now() + 20_000;
  while (!aside.isReady && Date.now() < deadline) await rest();
  return aside.isReady;
}

t.test('the bytes of the stream are the same with a thread', THREADS, async (t) => {
  for (const name of CODECS) {
    const recorded = new Recorded();
    const { connection } = recorded;
    const { writer } = connection;
    writer.startFrames();
    const aside = new AsideCompressor({ name, level: null, protocol: 32, threads: 0 }, connection, 20_000, MOST);
    const tokens = new CompressedTokenWriter(writer, aside);
    const files = someFiles(60, 5);
    for (const [i, file] of files.entries()) {
      while (connection.congested) await connection.drain();
      if (i === 10) t.ok(await moved(aside), `${name}: there is a thread`);
      if (i % 20 === 15) writer.message(2, Buffer.from(`message ${i}`));
      writer.i32(i);
      writePieces(tokens, file, BASIS, BLOCK);
    }
    t.ok(connection.detour !== null, `${name}: the thread is at work`);
    await connection.detour?.settle();
    t.equal(connection.detour, null);
    writer.flush();
    const { data, messages } = recorded.streams();
    t.ok(data.equals(writeHere(name, files)), `${name}: ${data.length} bytes`);
    t.same(messages, ['message 15', 'message 35', 'message 55']);
    const sent = recorded.parts.reduce((sum, part) => sum + part.length, 0);
    t.equal(writer.total, sent, `${name}: all is counted`);
    const r = new ByteReader();
    r.push(data);
    const reader = new CompressedTokenReader(createDecompressor(name, 32));
    for (const file of files) {
      r.begin();
      r.i32();
      r.done();
      t.same(joinLiterals(readTokens(r, reader, [], BASIS, BLOCK)), joinLiterals(file));
    }
  }
});

t.test('zstd goes over within a file, with what waits to be sent', THREADS, async (t) => {
  const recorded = new Recorded();
  const { connection } = recorded;
  const { writer } = connection;
  writer.startFrames();
  const aside = new AsideCompressor({ name: 'zstd', level: null, protocol: 32, threads: 0 }, connection, 1, MOST);
  const tokens = new CompressedTokenWriter(writer, aside);
  const random = new Random(9);
  const pieces = Array.from({ length: 40 }, () => random.bytes(50_000 + random.int(50_000), true));
  tokens.start();
  for (const [i, piece] of pieces.entries()) {
    while (connection.congested) await connection.drain();
    if (i === 5) t.ok(await moved(aside));
    tokens.literal(piece, 0, piece.length);
  }
  tokens.end();
  await connection.detour?.settle();
  const file = [Buffer.concat(pieces).toString('latin1')];
  t.ok(recorded.streams().data.equals(writeHere('zstd', [file]).subarray(4)));
});

t.test('a carrier that takes nothing keeps the memory bounded, and gives up nothing', THREADS, async (t) => {
  const recorded = new Recorded();
  const { connection } = recorded;
  const { writer } = connection;
  writer.startFrames();
  const aside = new AsideCompressor({ name: 'lz4', level: null, protocol: 32, threads: 0 }, connection, 1, MOST);
  const tokens = new CompressedTokenWriter(writer, aside);
  const noise = new Random(3).bytes(1 << 20).toString('latin1');
  writePieces(tokens, ['x']);
  await moved(aside);
  recorded.isSlow = true;
  const files: Piece[][] = [['x']];
  let given = 0;
  const deadline = Date.now() + 3000;
  while (!connection.congested && Date.now() < deadline) {
    writePieces(tokens, [noise]);
    files.push([noise]);
    given++;
    await rest();
  }
  t.ok(given < 12, `${given} MiB were taken`);
  // More than there is room for: whoever does not ask is made to wait until the thread has gone on.
  for (let i = 0; i < 8; i++) {
    writePieces(tokens, [noise]);
    files.push([noise]);
  }
  recorded.isSlow = false;
  for (const sent of recorded.waiting.splice(0)) sent();
  await connection.detour?.settle();
  const r = new ByteReader();
  r.push(recorded.streams().data);
  const reader = new CompressedTokenReader(createDecompressor('lz4', 32));
  t.ok(files.every((file) => joinLiterals(readTokens(r, reader)).join() === file.join()));
});

t.test('a thread that ends by itself ends the run with an error', THREADS, async (t) => {
  const { connection } = new Recorded();
  const codec = { name: 'zlibx', level: null, protocol: 32, threads: 0 };
  const aside = new AsideCompressor(codec, connection, 1, MOST);
  const tokens = new CompressedTokenWriter(connection.writer, aside);
  writePieces(tokens, ['x']);
  await moved(aside);
  writePieces(tokens, ['y']);
  await (aside as unknown as { worker: Worker }).worker.terminate();
  await t.rejects(connection.drain(), { exitCode: 12, message: /compression failed/ });
  t.equal(connection.detour, null);
});

t.test('what was dropped leaves the straight way', THREADS, async (t) => {
  const recorded = new Recorded();
  const { connection } = recorded;
  const { writer } = connection;
  writer.startFrames();
  const aside = new AsideCompressor({ name: 'zlibx', level: null, protocol: 32, threads: 0 }, connection, 1, MOST);
  const tokens = new CompressedTokenWriter(writer, aside);
  writePieces(tokens, ['x']);
  await moved(aside);
  writePieces(tokens, ['y'.repeat(100_000)]);
  connection.detour?.drop();
  t.equal(connection.detour, null);
  const before = recorded.streams().data.length;
  writer.i32(0x01020304);
  writer.flush();
  t.same(recorded.streams().data.subarray(before), Buffer.from([4, 3, 2, 1]));
});

t.test('there are no more threads than may be', async (t) => {
  const connections = Array.from({ length: MOST + 2 }, () => {
    const { connection } = new Recorded();
    const aside = new AsideCompressor({ name: 'zlibx', level: null, protocol: 32, threads: 0 }, connection, 1, MOST);
    const tokens = new CompressedTokenWriter(connection.writer, aside);
    for (const text of ['x', 'y']) writePieces(tokens, [text]);
    return connection;
  });
  t.equal(connections.filter((connection) => connection.detour !== null).length, MOST);
  for (const connection of connections) connection.detour?.drop();
});
