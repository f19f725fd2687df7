import fc from 'fast-check';
import t from 'tap';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { RsyncError } from '../../protocol/errors.js';
import { EntryDecoder } from '../../protocol/flist/decode.js';
import { EntryEncoder } from '../../protocol/flist/encode.js';
import { EntryFlag, FileList } from '../../protocol/flist/list.js';
import { isDevice, isSpecial, type ListWire } from '../../protocol/flist/wire.js';
import { Random } from '../lib/random.js';
import { cuts } from '../lib/splits.js';
import { collector, plainWire } from './capture.js';
import { addEntry, dirMode, type MadeEntry } from './make-list.js';

const { TOP_DIR, CONTENT_DIR, IMPLIED_DIR, HLINKED, HLINK_FIRST } = EntryFlag;
const modes = [0o100644, 0o100755, 0o120777, 0o020600, 0o060600, 0o010644, 0o140755, 0o040755, 0o042700];
const times = [0, 1, 1_700_000_000, 1_700_000_001, 2 ** 31, 2 ** 32 - 1];
const sizes = [0, 5, 65535, 2 ** 24, 2 ** 31, 2 ** 40 + 3, 2 ** 53 - 1];

/** Fills every column of a random list that the wire can carry. */
function randomList(
  random: Random,
  wire: ListWire,
  count: number,
): { list: FileList; dev: Float64Array; ino: Float64Array } {
  const list = new FileList(wire.sumLength);
  const dev = new Float64Array(count);
  const ino = new Float64Array(count);
  const linked: number[] = [];
  let dir = '';
  for (let row = 0; row < count; row++) {
    if (random.chance(20))
      dir = random.pick(['', 'a', 'a/b', 'a/b/c', 'ab', `long/${'d'.repeat(1 + random.int(300))}`]);
    const name = random.pick(['x', 'xy', `n${random.int(1000)}`, 'e'.repeat(1 + random.int(290))]) + row;
    addEntry(list, { path: dir === '' ? name : `${dir}/${name}`, mode: random.pick(modes) });
    fillRow(random, wire, list, row);
    dev[row] = 1 + random.int(2);
    ino[row] = row + 2 ** 32;
    if (wire.hardLinks && !list.isDir(row) && (wire.protocol >= 28 || list.isRegular(row)) && random.chance(30)) {
      linkRow(random, list, row, linked, dev, ino, wire);
    }
  }
  return { list, dev, ino };
}

function fillRow(random: Random, wire: ListWire, list: FileList, row: number): void {
  const mode = list.mode(row);
  list.setSize(row, isDevice(mode) || isSpecial(mode) ? 0 : random.pick(sizes));
  const isOdd = wire.protocol >= 30 && random.chance(10);
  list.setMtime(row, isOdd ? random.pick([-1, -(2 ** 35), 2 ** 40]) : random.pick(times));
  list.setNsec(row, wire.protocol >= 31 ? random.pick([0, 1, 999_999_999]) : 0);
  list.setUid(row, wire.owner ? random.pick([0, 1, 1000, 2 ** 32 - 2]) : 0);
  list.setGid(row, wire.group ? random.pick([0, 5, 70000]) : 0);
  if (wire.atimes) list.setAtime(row, list.isDir(row) ? 0 : random.pick(times));
  if (list.isDir(row)) list.setFlags(row, random.pick([0, CONTENT_DIR, TOP_DIR | CONTENT_DIR, IMPLIED_DIR]));
  if (list.isLink(row)) list.setTarget(row, random.bytes(1 + random.int(400)));
  if (isDevice(mode)) list.setDevice(row, random.int(4), random.int(700));
  if (wire.sumLength > 0 && list.isRegular(row)) random.bytes(wire.sumLength).copy(list.sum(row));
}

/** Makes a row the first of a group, or a copy of an earlier first one. */
function linkRow(
  random: Random,
  list: FileList,
  row: number,
  linked: number[],
  dev: Float64Array,
  ino: Float64Array,
  wire: ListWire,
): void {
  const offset = wire.incremental ? 1 : 0;
  const first = linked.length > 0 && random.chance(60) ? random.pick(linked) : -1;
  list.addFlags(row, HLINKED);
  if (first < 0) {
    list.addFlags(row, HLINK_FIRST);
    list.setGroup(row, row + offset);
    linked.push(row);
    return;
  }
  list.setGroup(row, first + offset);
  list.setMode(row, list.mode(first));
  list.setSize(row, list.size(first));
  list.setMtime(row, list.mtime(first));
  list.setNsec(row, list.nsec(first));
  list.setUid(row, list.uid(first));
  list.setGid(row, list.gid(first));
  if (list.isLink(first)) list.setTarget(row, list.target(first));
  if (isDevice(list.mode(first))) list.setDevice(row, list.major(first), list.minor(first));
  if (wire.atimes) list.setAtime(row, list.atime(first));
  list.sum(first).copy(list.sum(row));
  dev[row] = dev[first];
  ino[row] = ino[first];
}

const userNames = new Map([
  [0, 'root'],
  [1000, 'me'],
]);
const groupNames = new Map([
  [5, 'tty'],
  [70000, 'g'.repeat(255)],
]);

function encode(wire: ListWire, made: ReturnType<typeof randomList>, ioError: number): Buffer {
  const { writer, taken } = collector();
  const encoder = new EntryEncoder(wire, made.list, {
    userName: (id) => userNames.get(id) ?? null,
    groupName: (id) => groupNames.get(id) ?? null,
  });
  encoder.setDevIno(made.dev, made.ino);
  for (let row = 0; row < made.list.count; row++) encoder.encode(writer, row);
  encoder.end(writer, ioError);
  encoder.writeIdLists(writer);
  return taken();
}

function decode(wire: ListWire, chunks: readonly Buffer[]): { list: FileList; decoder: EntryDecoder; left: number } {
  const reader = new ByteReader();
  const list = new FileList(wire.sumLength);
  const decoder = new EntryDecoder(wire, list);
  let next = 0;
  const more = () => {
    if (next >= chunks.length) throw new Error('short');
    reader.push(chunks[next++]);
  };
  for (let state = 0; state !== 2; ) {
    state = decoder.next(reader);
    if (state === 0) more();
  }
  while (!decoder.readIdLists(reader)) more();
  return { list, decoder, left: reader.buffered };
}

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

/** Bytes of one entry in the varint form: flags, name, length 0, time 0, mode. */
function entry(flags: number, name: string, mode = 0o100644, prefix = -1): Buffer {
  const head = Buffer.from(prefix < 0 ? [flags | 0x98] : [0xa0 | (flags >> 8), flags | 0x98, prefix]);
  const first = prefix < 0 && flags < 0x80 ? Buffer.from([0x80, flags | 0x98]) : head;
  const modeBytes = Buffer.alloc(4);
  modeBytes.writeUInt32LE(mode);
  return Buffer.concat([first, Buffer.from([name.length]), Buffer.from(name, 'latin1'), Buffer.alloc(3), modeBytes]);
}

function refusal(bytes: Buffer, change: Partial<ListWire> = {}): number {
  const wire = plainWire(32, { owner: false, group: false, ...change });
  try {
    decode(wire, [bytes]);
  } catch (error) {
    if (error instanceof RsyncError) return error.exitCode;
    throw error;
  }
  return 0;
}

t.test('names that could leave the destination', async (t) => {
  const end = Buffer.from([0, 0]);
  const plain = (name: string, mode?: number) => Buffer.concat([entry(0, name, mode), end]);
  for (const name of ['..', '../x', 'a/..', 'a/../b', '/x', '//x', 'a//b', 'a/', './x', 'a/./b', 'a/.', 'x\0y', '']) {
    t.equal(refusal(plain(name)), 4, JSON.stringify(name));
  }
  for (const name of ['/..', '/../x', '//x', '/a/../b', 'a/../../b', '..']) {
    t.equal(refusal(plain(name), { relative: true }), 4, `${name} with -R`);
  }
  for (const name of ['a', '...', '..a', 'a..', '.a', 'a/..b', 'a/.b/c']) t.equal(refusal(plain(name)), 0, name);
  t.equal(refusal(plain('/usr/x'), { relative: true }), 0);
  t.equal(refusal(plain('.', dirMode)), 0);
  t.equal(refusal(plain('.')), 4, '"." that is a file');
});

t.test('values that no honest sender writes', async (t) => {
  const end = Buffer.from([0, 0]);
  const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
  t.equal(refusal(Buffer.concat([entry(0, 'f', 0o100644), end])), 0, 'the frame of these cases is right');
  t.equal(refusal(Buffer.concat([entry(0, 'f', 0o150644), end])), 2, 'unknown file type');
  t.equal(refusal(Buffer.concat([entry(0, 'f', 0), end])), 2, 'mode 0');
  t.equal(refusal(Buffer.concat([entry(0, 'f', 0), end]), { deleteMissingArgs: true }), 0, 'mode 0 is allowed');
  t.equal(refusal(hex('80b8 05 01 61')), 2, 'prefix longer than the name before');
  t.equal(refusal(hex('80d8 c0 00 10')), 2, 'suffix of 4096 bytes');
  t.equal(refusal(hex('80d8 f0 ff ff ff ff')), 2, 'negative suffix length');
  t.equal(refusal(hex('8098 01 61 fc ff ff ff ff ff ff ff ff')), 4, 'negative length');
  t.equal(refusal(hex('a098 01 61 000000 f0 00 ca 9a 3b')), 2, 'nanoseconds of a whole second');
  t.equal(refusal(hex('fc')), 12, 'varint of seven bytes');
  t.equal(refusal(hex('c09a02 01 61 00')), 2, 'hard link to itself');
  t.equal(refusal(hex('8298 01 61 05')), 2, 'hard link beyond the list');
  t.equal(refusal(hex('8298 01 61 00'), { hardLinks: false }), 2, 'hard link without -H');
  t.equal(refusal(Buffer.concat([entry(0, 'f'), hex('8298 01 67 00')])), 2, 'hard link to a file that has none');
  t.equal(refusal(hex('0410 01'), { varintFlags: false, safeList: false, protocol: 30 }), 2, 'error mark');
  t.equal(refusal(Buffer.concat([entry(0, 'l', 0o120777), hex('c0 00 10')])), 2, 'symlink target of 4096 bytes');
});

t.test('links and devices that were not asked for are empty', async (t) => {
  const bytes = Buffer.concat([entry(0, 'l', 0o120777), entry(0, 'c', 0o020600), Buffer.from([0, 0])]);
  const { list } = decode(plainWire(32, { owner: false, group: false, links: false, devices: false }), [bytes]);
  t.equal(list.target(0).length, 0);
  t.same([list.major(1), list.minor(1)], [0, 0]);
});

t.test('random and mutated bytes end in a clean error, or ask for more', async (t) => {
  const outcome = (wire: ListWire, bytes: Buffer): void => {
    try {
      decode(wire, [bytes]);
    } catch (error) {
      if (!(error instanceof RsyncError) && (error as Error).message !== 'short') throw error;
    }
  };
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(27, 28, 29, 30, 31, 32), (seed, protocol) => {
      const random = new Random(seed);
      const wire = plainWire(protocol, { atimes: random.chance(50), sumLength: 16, relative: random.chance(50) });
      outcome(wire, random.bytes(200));
      const bytes = encode(wire, randomList(random, wire, 15), 0);
      for (let i = 0; i < 5; i++) {
        const mutated = Buffer.from(bytes);
        for (let k = random.int(3); k >= 0; k--) mutated[random.int(mutated.length)] = random.next();
        outcome(wire, mutated);
        outcome(wire, bytes.subarray(0, random.int(bytes.length)));
      }
    }),
    { numRuns: 400 },
  );
  t.pass();
});
