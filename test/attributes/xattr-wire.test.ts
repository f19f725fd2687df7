import fc from 'fast-check';
import t from 'tap';
import { NO_XATTRS, type Xattr, type XattrSet, XattrTable } from '../../protocol/attributes/xattr-set.js';
import { KeptBytes, XattrDecoder, XattrEncoder } from '../../protocol/attributes/xattr-wire.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { writeVarint } from '../../protocol/bytes/varint.js';
import type { ByteWriter } from '../../protocol/bytes/writer.js';
import { RsyncError } from '../../protocol/errors.js';
import { oneShot } from '../../protocol/hash/digest.js';
import { collector } from '../flist/capture.js';
import { cuts } from '../lib/splits.js';

const same = (name: string): string => name;

function attribute(name: string, value: Buffer, number: number): Xattr {
  const isLong = value.length > 32;
  return {
    name,
    length: value.length,
    value: isLong ? null : value,
    digest: isLong ? oneShot('md5', [value]) : null,
    number,
    state: 0,
  };
}

function setOf(values: Record<string, Buffer>): XattrSet {
  return Object.keys(values)
    .sort()
    .map((name, i) => attribute(name, values[name], i + 1));
}

/** Bytes of sets as an encoder writes them. */
function encode(sets: readonly XattrSet[]): Buffer {
  const table = new XattrTable();
  const out = collector();
  const encoder = new XattrEncoder(table, same);
  for (const set of sets) encoder.write(out.writer, set === NO_XATTRS ? 0 : table.intern(set));
  return out.taken();
}

/** Reads `count` sets from chunks. */
function decode(chunks: readonly Buffer[], count: number, nameOf: (name: string) => string | null = same): XattrSet[] {
  const table = new XattrTable();
  const decoder = new XattrDecoder(table, nameOf, new KeptBytes());
  const reader = new ByteReader();
  const sets: XattrSet[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    while (sets.length < count) {
      const number = decoder.read(reader);
      if (number < 0) break;
      sets.push(table.at(number));
    }
  }
  return sets;
}

const names = fc.stringMatching(/^[a-z]{1,4}\.[a-z\xe9.]{1,30}$/);
const values = fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes));
const sets = fc.dictionary(names, values, { maxKeys: 6 }).map((found) => setOf({ ...found }));

t.test('what is written is read again, however it arrives', (test) => {
  fc.assert(
    fc.property(fc.array(sets, { minLength: 1, maxLength: 8 }), (given) => {
      const bytes = encode(given);
      for (const cut of cuts(bytes, [5])) test.same(decode(cut.chunks, given.length), given, cut.name);
    }),
    { numRuns: 60 },
  );
  test.end();
});

t.test('a set travels once, and its number afterwards', (test) => {
  const set = setOf({ 'user.b': Buffer.from('2'), 'user.a': Buffer.alloc(33, 7) });
  const digest = oneShot('md5', [Buffer.alloc(33, 7)]);
  const first = Buffer.concat([
    Buffer.from([0, 2, 7, 33]),
    Buffer.from('user.a\0'),
    digest,
    Buffer.from([7, 1]),
    Buffer.from('user.b\x002'),
  ]);
  test.same(encode([set, NO_XATTRS, set, NO_XATTRS]), Buffer.concat([first, Buffer.from([0, 0, 1, 2])]));
  test.end();
});

t.test('a long name whose length is cut in two is waited for', (test) => {
  const set = setOf({ [`user.${'n'.repeat(245)}`]: Buffer.alloc(60_000, 1) });
  for (const cut of cuts(encode([set]), [1, 2])) test.same(decode(cut.chunks, 1), [set], cut.name);
  test.end();
});

t.test('what is not kept leaves the numbers of the others as they are', (test) => {
  const set = setOf({ 'a.x': Buffer.from('1'), 'b.y': Buffer.from('2'), 'c.z': Buffer.from('3') });
  const [read] = decode([encode([set])], 1, (name) => (name === 'b.y' ? null : `z.${name}`));
  test.same(
    read.map(({ name, number }) => [name, number]),
    [
      ['z.a.x', 1],
      ['z.c.z', 3],
    ],
  );
  test.end();
});

/** What a hostile peer might say, and the exit code of the run. */
const HOSTILE: readonly (readonly [string, number, (w: ByteWriter) => void])[] = [
  ['a set that is not known', 12, (w) => writeVarint(w, 1)],
  ['a negative set', 12, (w) => writeVarint(w, -1)],
  ['too many attributes', 2, (w) => head(w, 0, 65537)],
  ['a negative number of attributes', 2, (w) => head(w, 0, -1)],
  ['an empty name', 2, (w) => head(w, 0, 1, 0, 0)],
  ['a name that is too long', 2, (w) => head(w, 0, 1, 4097, 0)],
  ['a value that is too long', 2, (w) => head(w, 0, 1, 2, 128 * 1024 * 1024 + 1)],
  ['a negative length', 2, (w) => head(w, 0, 1, 2, -5)],
  ['a name without its end', 11, endless],
  ['more than 512 MiB for one file', 2, tooMuch],
];

function head(w: ByteWriter, ...numbers: number[]): void {
  for (const number of numbers) writeVarint(w, number);
}

function endless(w: ByteWriter): void {
  head(w, 0, 1, 2, 0);
  w.text('ab');
}

function tooMuch(w: ByteWriter): void {
  head(w, 0, 5);
  for (let i = 0; i < 5; i++) {
    head(w, 2, 128 * 1024 * 1024);
    w.text(`${i}\0${'d'.repeat(16)}`);
  }
}

t.test('numbers that cannot be end the run', (test) => {
  for (const [what, exitCode, write] of HOSTILE) {
    const out = collector();
    write(out.writer);
    try {
      decode([out.taken()], 1);
      test.fail(`${what} was accepted`);
    } catch (error) {
      test.ok(error instanceof RsyncError, what);
      test.equal((error as RsyncError).exitCode, exitCode, what);
    }
  }
  test.end();
});

t.test('a session does not keep more than a gibibyte', (test) => {
  const kept = new KeptBytes();
  kept.add(2 ** 30);
  test.throws(() => kept.add(1), new RsyncError(22, 'extended attributes need too much memory'));
  test.end();
});
