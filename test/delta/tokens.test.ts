import fc from 'fast-check';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { PlainTokenReader, PlainTokenWriter, Token } from '../../protocol/delta/tokens.js';
import { splits } from '../lib/splits.js';
import { recorder } from './recorder.js';
import { joinLiterals, type Piece, readTokens, writePieces } from './token-streams.js';

const piece = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 90 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  fc.constantFrom(0, 1, 2, 3, 700, 0x7ffffffe),
);

t.test('the bytes on the wire', async (t) => {
  const { w, bytes } = recorder();
  const writer = new PlainTokenWriter(w);
  writePieces(writer, ['abc', 0, 5]);
  t.equal(bytes().toString('hex'), '03000000616263fffffffffaffffff00000000');
});

t.test('long literals are cut to what the reference writes', async (t) => {
  const { w, bytes } = recorder();
  writePieces(new PlainTokenWriter(w), ['x'.repeat(70_000)]);
  const wire = bytes();
  t.equal(wire.length, 70_000 + 4 * 4);
  t.equal(wire.readInt32LE(0), 32768);
  t.equal(wire.readInt32LE(2 * 32772), 70_000 - 65536);
});

t.test('literals that are put straight into the writer', async (t) => {
  const { w, bytes } = recorder();
  w.startFrames();
  const writer = new PlainTokenWriter(w);
  for (let i = 0; i < 9; i++) {
    // There is never more room than what is left of a page.
    const rooms = writer.reserve(i === 5 ? 1 << 20 : 32768);
    t.ok(i === 5 ? rooms.length > 1 && rooms.length < 32 : rooms.length === 1);
    rooms[0].fill(65 + i);
    writer.commit(i === 4 ? 5 : 32768);
  }
  writer.reserve(32768)[0].fill(1);
  writer.end();
  const r = new ByteReader();
  r.startFrames(() => {});
  r.push(bytes());
  const expected = Array.from('ABCDEFGHI', (c) => c.repeat(c === 'E' ? 5 : 32768)).join('');
  t.same(joinLiterals(readTokens(r, new PlainTokenReader())), [expected]);
});

t.test('what was written is read, in any pieces, framed or not', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.array(piece, { maxLength: 12 }), { maxLength: 3 }), fc.boolean(), (files, framed) => {
      const { w, bytes } = recorder();
      if (framed) w.startFrames();
      const writer = new PlainTokenWriter(w);
      for (const file of files) writePieces(writer, file);
      const expected = files.map((file) => joinLiterals(file));
      for (const [name, read] of splits(bytes(), (chunks) => decode(chunks, framed, files.length), [1])) {
        t.same(read, expected, name);
      }
    }),
    { numRuns: 40 },
  );
});

function decode(chunks: Buffer[], framed: boolean, count: number): Piece[][] {
  const r = new ByteReader();
  if (framed) r.startFrames(() => {});
  const reader = new PlainTokenReader();
  const files: Piece[][] = [];
  const feed = [...chunks];
  while (files.length < count) files.push(joinLiterals(readTokens(r, reader, feed)));
  return files;
}

t.test('blocks that follow each other are taken together, also from one frame to the next', async (t) => {
  const { w, bytes } = recorder();
  w.startFrames();
  const writer = new PlainTokenWriter(w);
  for (const block of [5, 6, 7, 8, 9, 11, 10]) {
    if (block === 8) w.flush();
    writer.match(block, Buffer.alloc(0), 0, 0);
  }
  writer.end();
  const r = new ByteReader();
  r.startFrames(() => {});
  r.push(bytes());
  const reader = new PlainTokenReader();
  reader.start();
  const taken = (most: number): number[] => [reader.further(r, most), reader.block];
  t.equal(reader.next(r), Token.MATCH);
  t.same(taken(1), [1, 6]);
  t.same(taken(9), [1, 7], 'the rest of a frame');
  t.same(taken(9), [2, 9], 'and what the next one begins with');
  t.same(taken(9), [0, 9]);
  for (const block of [11, 10]) {
    t.equal(reader.next(r), Token.MATCH);
    t.same(taken(9), [0, block]);
  }
  t.equal(reader.next(r), Token.END);
});

t.test('a literal length or block number at the limits', async (t) => {
  const r = new ByteReader();
  const reader = new PlainTokenReader();
  reader.start();
  r.push(Buffer.from('00000080ffffff7f41', 'hex'));
  t.equal(reader.next(r), Token.MATCH);
  t.equal(reader.block, 0x7fffffff);
  t.equal(reader.next(r), Token.LITERAL, 'a part of a long literal is given out at once');
  t.equal(reader.to - reader.from, 1);
  t.equal(reader.next(r), Token.SHORT);
});
