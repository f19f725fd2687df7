import fc from 'fast-check';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { EntryDecoder } from '../../protocol/flist/decode.js';
import { EntryEncoder } from '../../protocol/flist/encode.js';
import { EntryFlag, FileList } from '../../protocol/flist/list.js';
import { isDevice, type ListWire } from '../../protocol/flist/wire.js';
import { Random } from '../lib/random.js';
import { cuts } from '../lib/splits.js';
import { collector, plainWire } from './capture.js';
import { addEntry, dirMode, type MadeEntry } from './make-list.js';
import { decode, encode, randomList } from './random-list.js';

const { TOP_DIR, CONTENT_DIR, HLINKED, HLINK_FIRST } = EntryFlag;

/** Everything about a row that travels, as text. */
function describe(list: FileList, row: number, wire: ListWire): string {
  const mode = list.mode(row);
  const parts = [list.path(row), mode.toString(8), list.size(row), list.mtime(row), list.nsec(row)];
  parts.push(list.uid(row), list.gid(row));
  if (wire.atimes) parts.push(list.atime(row));
  if (list.isDir(row) && wire.protocol >= 30) parts.push(list.flags(row));
  if (list.isLink(row)) parts.push(list.target(row).toString('hex'));
  if (isDevice(mode)) parts.push(`${list.major(row)}:${list.minor(row)}`);
  if (wire.sumLength > 0 && list.isRegular(row)) parts.push(list.sum(row).toString('hex'));
  if (wire.hardLinks && wire.protocol >= 30) parts.push(list.flags(row) & (HLINKED | HLINK_FIRST), list.group(row));
  return parts.join(' ');
}

const wires = fc.record({
  protocol: fc.constantFrom(27, 28, 29, 30, 31, 32),
  varint: fc.boolean(),
  incremental: fc.boolean(),
  owner: fc.boolean(),
  group: fc.boolean(),
  numericIds: fc.boolean(),
  hardLinks: fc.boolean(),
  atimes: fc.boolean(),
  sumLength: fc.constantFrom(0, 8, 16),
  id0Names: fc.boolean(),
  seed: fc.integer(),
  ioError: fc.integer({ min: 0, max: 7 }),
});

t.test('what is encoded is decoded, in every version and however it is cut', async (t) => {
  fc.assert(
    fc.property(wires, ({ varint, incremental, id0Names, seed, ioError, ...change }) => {
      const modern = change.protocol >= 30;
      const wire = plainWire(change.protocol, {
        ...change,
        varintFlags: varint && modern,
        safeList: modern,
        incremental: incremental && modern,
        id0Names: id0Names && modern,
      });
      const made = randomList(new Random(seed), wire, 25);
      const bytes = encode(wire, made, ioError);
      for (const { name, chunks } of cuts(bytes, [seed])) {
        const { list, decoder, left } = decode(wire, chunks);
        if (left !== 0) throw new Error(`${left} bytes left, ${name}`);
        if (list.count !== made.list.count) throw new Error(`${list.count} rows, ${name}`);
        for (let row = 0; row < list.count; row++) {
          const [got, wanted] = [describe(list, row, wire), describe(made.list, row, wire)];
          if (got !== wanted) throw new Error(`${name}: ${got} instead of ${wanted}`);
        }
        if (decoder.ioError !== (modern ? ioError : 0)) throw new Error(`io_error ${decoder.ioError}`);
        checkNames(wire, list, decoder);
      }
    }),
    { numRuns: 300 },
  );
  t.pass();
});

function checkNames(wire: ListWire, list: FileList, decoder: EntryDecoder): void {
  const wanted =
    wire.owner && !wire.numericIds && [...Array(list.count).keys()].some((row) => list.uid(row) === 1000)
      ? 'me'
      : undefined;
  if (decoder.users.get(1000) !== wanted) throw new Error(`user 1000 is ${decoder.users.get(1000)}`);
  if (decoder.users.has(1)) throw new Error('an id without a name has one');
}

t.test('names go with the first entry of an id, and the state lasts from list to list', async (t) => {
  const wire = plainWire(32, { incremental: true, hardLinks: true });
  const list = new FileList();
  const { writer, taken } = collector();
  const asked: number[] = [];
  const encoder = new EntryEncoder(wire, list, {
    userName: (id) => {
      asked.push(id);
      return 'me';
    },
    groupName: () => null,
  });
  const lists: MadeEntry[][] = [
    [
      { path: 'd', mode: dirMode, flags: CONTENT_DIR },
      { path: 'f', flags: HLINKED | HLINK_FIRST },
    ],
    [{ path: 'd/f', flags: HLINKED }, { path: 'd/g' }],
  ];
  for (const entries of lists) {
    for (const entry of entries) {
      const row = addEntry(list, entry);
      list.setUid(row, 1000);
      if (entry.flags === HLINKED || entry.flags === (HLINKED | HLINK_FIRST)) list.setGroup(row, 2);
      encoder.encode(writer, row);
    }
    encoder.end(writer, 0);
    list.addSegment(-1, true);
  }
  t.same(asked, [1000]);
  const reader = new ByteReader();
  reader.push(taken());
  const copy = new FileList();
  const decoder = new EntryDecoder(wire, copy);
  for (let at = 0; at < lists.length; at++) {
    while (decoder.next(reader) === 1);
    copy.addSegment(-1, true);
  }
  t.equal(reader.buffered, 0);
  for (let row = 0; row < 4; row++) t.equal(describe(copy, row, wire), describe(list, row, wire));
  t.same([...decoder.users], [[1000, 'me']]);
});

t.test('below protocol 30 a named top directory covers what follows below it', async (t) => {
  const wire = plainWire(29, { owner: false, group: false });
  const list = new FileList();
  const { writer, taken } = collector();
  const encoder = new EntryEncoder(wire, list, { userName: () => null, groupName: () => null });
  const dirs = ['t', 't/a', 't/a/b', 'u', 'u/c'];
  for (const path of dirs) {
    encoder.encode(writer, addEntry(list, { path, mode: dirMode, flags: path === 't' ? TOP_DIR : 0 }));
  }
  encoder.end(writer, 0);
  const bytes = taken();
  const contentDirs = (change: Partial<ListWire>): string[] => {
    const { list: copy } = decode({ ...wire, ...change }, [bytes]);
    return dirs.filter((_, row) => copy.flags(row) & CONTENT_DIR);
  };
  t.same(contentDirs({}), ['t', 't/a', 't/a/b']);
  t.same(contentDirs({ recurse: false }), ['t']);
});
