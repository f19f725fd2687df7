import fc from 'fast-check';
import t from 'tap';
import { NdxReader, NdxWriter } from '../../protocol/bytes/ndx.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import {
  readLongint,
  readVarint,
  readVarint30,
  readVarlong,
  readVarlong30,
  writeLongint,
  writeVarint,
  writeVarint30,
  writeVarlong,
  writeVarlong30,
} from '../../protocol/bytes/varint.js';
import type { ByteWriter } from '../../protocol/bytes/writer.js';
import { collector, exitCodeOf } from '../flist/capture.js';
import { cuts } from '../lib/splits.js';

const encoded = (write: (w: ByteWriter) => void): Buffer => {
  const { writer, taken } = collector();
  write(writer);
  return taken();
};

/** Reads values until the bytes are used up, unit by unit, as they arrive. */
function readAll(chunks: readonly Buffer[], read: (r: ByteReader) => number): number[] {
  const r = new ByteReader();
  const values: number[] = [];
  for (const chunk of chunks) {
    r.push(chunk);
    for (;;) {
      r.begin();
      const value = read(r);
      if (!r.done()) break;
      values.push(value);
    }
  }
  if (r.buffered > 0) throw new Error('bytes are left');
  return values;
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

t.test('varint: the table of the description', async (t) => {
  const table: [number, string][] = [
    [0, '00'],
    [127, '7f'],
    [128, '80 80'],
    [300, '81 2c'],
    [511, '81 ff'],
    [16383, 'bf ff'],
    [16384, 'c0 00 40'],
    [65535, 'c0 ff ff'],
    [2097151, 'df ff ff'],
    [2097152, 'e0 00 00 20'],
    [268435455, 'ef ff ff ff'],
    [268435456, 'f0 00 00 00 10'],
    [2147483647, 'f0 ff ff ff 7f'],
    [-1, 'f0 ff ff ff ff'],
  ];
  for (const [value, bytes] of table) {
    t.equal(encoded((w) => writeVarint(w, value)).toString('hex'), hex(bytes).toString('hex'), `${value}`);
    t.same(readAll([hex(bytes)], readVarint), [value]);
  }
});

t.test('varlong: the table of the description', async (t) => {
  const table: [number, number, string][] = [
    [3, 0, '00 00 00'],
    [3, 6, '00 06 00'],
    [3, 4096, '00 00 10'],
    [3, 65536, '01 00 00'],
    [3, 8388607, '7f ff ff'],
    [3, 8388608, '80 00 00 80'],
    [3, 10 ** 9, 'bb 00 ca 9a'],
    [3, 2 ** 40, 'e1 00 00 00 00 00'],
    [4, 1700000200, '65 c8 f1 53'],
    [4, 2 ** 31, '80 00 00 00 80'],
    [4, -1, 'f8 ff ff ff ff ff ff ff ff'],
  ];
  for (const [min, value, bytes] of table) {
    t.equal(encoded((w) => writeVarlong(w, value, min)).toString('hex'), hex(bytes).toString('hex'), `${value}`);
    t.same(
      readAll([hex(bytes)], (r) => readVarlong(r, min)),
      [value],
    );
  }
  t.same(
    readAll([hex('fc ff ff ff ff ff ff ff 7f')], (r) => readVarlong(r, 3)),
    [2 ** 63],
    'rounded',
  );
});

t.test('longint: the table of the description', async (t) => {
  for (const [value, bytes] of [
    [5, '05000000'],
    [2 ** 31, 'ffffffff0000008000000000'],
    [-1, 'f'.repeat(24)],
  ] as const) {
    t.equal(encoded((w) => writeLongint(w, value)).toString('hex'), bytes);
    t.same(readAll([hex(bytes)], readLongint), [value]);
  }
});

t.test('every value survives, in every version and however the bytes are cut', async (t) => {
  const int32 = fc.oneof(
    fc.integer(),
    fc.nat(300),
    fc.integer({ min: 0, max: 31 }).map((bit) => (1 << bit) | 0),
  );
  const wide = fc.oneof(
    fc.maxSafeInteger(),
    fc.nat(70000),
    fc.nat(52).map((bit) => 2 ** bit),
    fc.nat(52).map((b) => 2 ** b - 1),
  );
  fc.assert(
    fc.property(
      fc.array(int32),
      fc.array(wide),
      fc.constantFrom(29, 30),
      fc.constantFrom(3, 4),
      (small, big, p, min) => {
        const ints = encoded((w) => {
          for (const v of small) writeVarint30(w, p, v);
        });
        const longs = encoded((w) => {
          for (const v of big) writeVarlong30(w, p, v, min);
        });
        for (const { chunks } of cuts(ints)) {
          if (`${readAll(chunks, (r) => readVarint30(r, p))}` !== `${small}`) return false;
        }
        return cuts(longs).every(({ chunks }) => `${readAll(chunks, (r) => readVarlong30(r, p, min))}` === `${big}`);
      },
    ),
  );
  t.pass();
});

t.test('impossible first bytes are fatal, but not when the byte is only a remainder', async (t) => {
  for (const bytes of ['f8', 'fc', 'ff'])
    t.equal(
      exitCodeOf(() => readAll([hex(bytes)], readVarint)),
      12,
      bytes,
    );
  t.equal(
    exitCodeOf(() => readAll([hex('fc 00 00 00 00')], (r) => readVarlong(r, 4))),
    12,
  );
  const both = (r: ByteReader) => r.i32() + readVarint(r);
  t.same(readAll([hex('fc0000'), hex('00 05')], both), [0xfc + 5]);
  t.same(
    readAll([hex('fc'), hex('000000'), hex('05')], (r) => r.i32() + readVarlong(r, 1)),
    [0xfc + 5],
  );
});

t.test('indexes: the sequence of the description', async (t) => {
  const values = [0, 1, 1, 255, 509, 0, 40000, -1, -2, -101, -102, -2, 72000, 16849216];
  const bytes = hex(
    '01 01 fe0000 fe00fe fe00fe fe80000000 fe80409c00 00 ff01 ff63 ff01 fffe80020000 fe7d00 fe81401901',
  );
  const writer = new NdxWriter(30);
  const written = encoded((w) => {
    for (const v of values) writer.write(w, v);
  });
  t.equal(written.toString('hex'), bytes.toString('hex'));
  for (const { name, chunks } of cuts(bytes)) {
    const ndx = new NdxReader(30);
    t.same(
      readAll(chunks, (r) => ndx.read(r)),
      values,
      name,
    );
  }
});

t.test('any indexes survive in both forms', async (t) => {
  const index = fc.oneof(fc.nat(), fc.nat(70000), fc.integer({ min: -70000, max: -1 }), fc.constant(2 ** 31 - 1));
  fc.assert(
    fc.property(fc.array(index), fc.constantFrom(29, 32), (values, protocol) => {
      const writer = new NdxWriter(protocol);
      const bytes = encoded((w) => {
        for (const v of values) writer.write(w, v);
      });
      return cuts(bytes).every(({ chunks }) => {
        const ndx = new NdxReader(protocol);
        return `${readAll(chunks, (r) => ndx.read(r))}` === `${values}`;
      });
    }),
  );
  t.pass();
});

t.test('an index beyond 31 bits is fatal', async (t) => {
  const ndx = new NdxReader(30);
  t.equal(
    exitCodeOf(() => readAll([hex('fe ff ff ff ff fe 7f ff')], (r) => ndx.read(r))),
    2,
  );
});
