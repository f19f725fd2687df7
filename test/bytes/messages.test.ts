import fc from 'fast-check';
import t from 'tap';
import { NdxReader, NdxWriter } from '../../protocol/bytes/ndx.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { Basis, Item, NDX_DEL_STATS } from '../../protocol/constants.js';
import { ItemHeader, readItemHeader, writeItem } from '../../protocol/request.js';
import { readDelStats, readStats, writeDelStats, writeStats } from '../../protocol/stats.js';
import { collector, exitCodeOf } from '../flist/capture.js';
import { cuts } from '../lib/splits.js';

/** Feeds chunks until `read` has a whole unit. */
function unit<T>(r: ByteReader, chunks: Buffer[], read: () => T | null | false): T {
  for (;;) {
    const value = read();
    if (value !== null && value !== false) return value as T;
    const chunk = chunks.shift();
    if (chunk === undefined) throw new Error('short');
    r.push(chunk);
  }
}

const protocols = fc.constantFrom(27, 28, 29, 30, 31, 32);

t.test('items come back as they were written', async (t) => {
  const item = fc.record({
    ndx: fc.nat(100_000),
    iflags: fc.nat(0xffff).map((bits) => bits & ~(Item.XNAME_FOLLOWS | Item.BASIS_TYPE_FOLLOWS)),
    basisType: fc.nat(0xff),
    xname: fc.option(fc.uint8Array({ maxLength: 300 })),
  });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 12 }), protocols, fc.integer(), (items, protocol, seed) => {
      // A fuzzy basis always has a name.
      for (const i of items) if (i.basisType >= Basis.FUZZY) i.xname ??= new Uint8Array(0);
      const { writer, taken } = collector();
      const ndxOut = new NdxWriter(protocol);
      for (const i of items) writeItem(writer, ndxOut, protocol, i.ndx, i.iflags, i.basisType, i.xname);
      for (const { chunks } of cuts(taken(), [seed])) checkItems(items, protocol, [...chunks]);
    }),
    { numRuns: 150 },
  );
  t.pass();
});

interface Wanted {
  ndx: number;
  iflags: number;
  basisType: number;
  xname: Uint8Array | null;
}

function checkItems(items: readonly Wanted[], protocol: number, chunks: Buffer[]): void {
  const r = new ByteReader();
  const ndxIn = new NdxReader(protocol);
  const got = new ItemHeader();
  for (const wanted of items) {
    const ndx = unit(r, chunks, () => {
      r.begin();
      const value = ndxIn.read(r);
      return r.done() ? { value } : null;
    });
    unit(r, chunks, () => readItemHeader(r, protocol, got));
    if (ndx.value !== wanted.ndx) throw new Error(`ndx ${ndx.value}`);
    if (protocol < 29) {
      if (got.iflags !== (Item.TRANSFER | Item.MISSING_DATA) || got.basisType !== Basis.FNAME || got.xname !== null)
        throw new Error('old item');
      continue;
    }
    const flags = got.iflags & ~(Item.XNAME_FOLLOWS | Item.BASIS_TYPE_FOLLOWS);
    if (flags !== wanted.iflags) throw new Error(`iflags ${flags}`);
    if (got.basisType !== wanted.basisType) throw new Error(`basis ${got.basisType}`);
    const names = [got.xname, wanted.xname].map((name) => (name === null ? 'none' : Buffer.from(name).toString('hex')));
    if (names[0] !== names[1]) throw new Error(`xname ${names[0]}`);
  }
  if (r.buffered > 0 || chunks.some((chunk) => chunk.length > 0)) throw new Error('bytes are left');
}

t.test('an echoed item is the same bytes, also with a needless basis type', async (t) => {
  for (const bytes of ['0008 80', '00a0', '0070 00', '0018 83 0161']) {
    const r = new ByteReader();
    const wanted = bytes.replaceAll(' ', '');
    r.push(Buffer.from(wanted, 'hex'));
    const item = new ItemHeader();
    t.ok(readItemHeader(r, 32, item));
    const { writer, taken } = collector();
    writeItem(writer, new NdxWriter(32), 32, 0, item.iflags, item.basisType, item.xname);
    t.equal(taken().toString('hex'), `01${wanted}`);
  }
});

t.test('items that are refused', async (t) => {
  const read = (hex: string) => () => {
    const r = new ByteReader();
    r.push(Buffer.from(hex, 'hex'));
    readItemHeader(r, 32, new ItemHeader());
  };
  t.equal(exitCodeOf(read('0010' + '9000')), 2, 'a name of 4096 bytes');
  t.equal(exitCodeOf(read('0008' + '83')), 2, 'a fuzzy basis without a name');
});

t.test('statistics and deletion counts survive', async (t) => {
  const number = fc.maxSafeInteger().map(Math.abs);
  const five = fc.tuple(number, number, number, number, number);
  fc.assert(
    fc.property(five, fc.array(fc.nat(2 ** 28), { minLength: 5, maxLength: 5 }), protocols, (n, counts, protocol) => {
      const [read, written, totalSize, a, b] = n;
      const [listBuildMs, listTransferMs] = protocol >= 29 ? [a, b] : [0, 0];
      const stats = { read, written, totalSize, listBuildMs, listTransferMs };
      const { writer, taken } = collector();
      writeStats(writer, protocol, stats);
      writeDelStats(writer, new NdxWriter(31), counts);
      return cuts(taken(), []).every(({ chunks }) => {
        const r = new ByteReader();
        const left = [...chunks];
        const got = unit(r, left, () => readStats(r, protocol));
        const ndxIn = new NdxReader(31);
        const ndx = unit(r, left, () => {
          r.begin();
          const value = ndxIn.read(r);
          return r.done() ? { value } : null;
        });
        const gotCounts = unit(r, left, () => readDelStats(r));
        return (
          JSON.stringify(got) === JSON.stringify(stats) && ndx.value === NDX_DEL_STATS && `${gotCounts}` === `${counts}`
        );
      });
    }),
  );
  const r = new ByteReader();
  r.push(Buffer.from('00000000f0ffffffff', 'hex'));
  t.equal(
    exitCodeOf(() => readDelStats(r)),
    2,
    'a negative count',
  );
});
