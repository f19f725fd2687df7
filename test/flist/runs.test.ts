import fc from 'fast-check';
import t from 'tap';
import { NO_ACL } from '../../protocol/attributes/acl.js';
import { NO_XATTRS } from '../../protocol/attributes/xattr-set.js';
import { KeptBytes } from '../../protocol/attributes/xattr-wire.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { EntryDecoder } from '../../protocol/flist/decode.js';
import { EntryEncoder } from '../../protocol/flist/encode.js';
import { ExtrasDecoder, ExtrasEncoder } from '../../protocol/flist/extras.js';
import { EntryFlag, FileList, rowAt } from '../../protocol/flist/list.js';
import { finishSegment } from '../../protocol/flist/sort.js';
import type { ListWire } from '../../protocol/flist/wire.js';
import { Random } from '../lib/random.js';
import { collector, plainWire } from './capture.js';
import { addEntry } from './make-list.js';

const NAMES = { userName: () => null, groupName: () => 'users' };
const MODES = [0o100644, 0o100644, 0o100644, 0o100755, 0o040755, 0o120777, 0o020600];
const DIRS = ['', 'a', 'a/b', 'ab', `long/${'d'.repeat(300)}`];

/** A few sets of attributes for long stretches of rows, and now and then a new one. */
function giveAttributes(random: Random, list: FileList): void {
  let value = 0;
  let access = 0;
  for (let row = 0; row < list.count; row++) {
    if (random.chance(2)) value = random.int(random.pick([4, 4, 1000]));
    if (random.chance(2)) access = random.int(8);
    const attribute = { name: 'user.a', length: 1, digest: null, number: 1, state: 0 };
    const set = value === 0 ? NO_XATTRS : [{ ...attribute, value: Buffer.from([value]) }];
    const names = [{ id: random.pick([1, 2]), access, isUser: random.chance(50) }];
    list.setXattrs(row, list.xattrTable.intern(set));
    list.setAcl(row, list.aclTable.intern(access === 0 || list.isLink(row) ? NO_ACL : { ...NO_ACL, names }));
    list.setDefaultAcl(row, list.defaultAclTable.intern(list.isDir(row) ? { ...NO_ACL, other: access } : NO_ACL));
  }
}

/** A list with long stretches of files that have much in common, and exceptions of all kinds between them. */
function mixedList(random: Random, count: number, sumLength: number): FileList {
  const list = new FileList(sumLength);
  let dir = '';
  let uid = 0;
  for (let row = 0; row < count; row++) {
    if (random.chance(2)) dir = random.pick(DIRS);
    if (random.chance(1)) uid = random.pick([0, 1000, 70000]);
    const odd = random.chance(5);
    const stem = odd ? 'e'.repeat(1 + random.int(290)) : random.pick(['file', 'f', '.', '..', '\x80\xff']);
    const name = `${stem}${row}`;
    const mode = random.chance(10) ? random.pick(MODES) : 0o100644;
    addEntry(list, { path: dir === '' ? name : `${dir}/${name}`, mode });
    list.setSize(
      row,
      odd ? random.pick([0, 2 ** 31 - 1, 2 ** 31, 2 ** 45]) : random.int(random.pick([10, 70000, 2 ** 30])),
    );
    list.setMtime(row, random.chance(3) ? random.pick([-1, 2 ** 31, 0, 2 ** 33]) : 1_700_000_000 + random.int(3));
    list.setNsec(row, random.pick([0, 0, 1, 127, 128, 999_999_999, random.int(1_000_000_000)]));
    list.setUid(row, uid);
    list.setGid(row, uid === 0 ? 0 : random.chance(1) ? 7 : 5);
    if (list.isDir(row)) list.setFlags(row, random.pick([0, EntryFlag.CONTENT_DIR, 3, EntryFlag.IMPLIED_DIR]));
    if (list.isLink(row)) list.setTarget(row, random.bytes(9));
    if (sumLength > 0 && list.isRegular(row)) random.bytes(sumLength).copy(list.sum(row));
    if (mode === 0o020600) list.setDevice(row, 5, random.int(300));
  }
  return list;
}

function encode(wire: ListWire, list: FileList, inRuns: boolean): Buffer {
  const { writer, taken } = collector();
  const encoder = new EntryEncoder(wire, list, NAMES, new ExtrasEncoder(list, wire, (name) => name));
  for (let row = 0; row < list.count; ) {
    if (inRuns) row = encoder.encodeSome(writer, row, list.count);
    else encoder.encode(writer, row++);
  }
  encoder.end(writer, 0);
  return taken();
}

const wires: ListWire[] = [];
const FURTHER = [
  { acls: false, xattrs: false },
  { acls: true, xattrs: true },
  { acls: true, xattrs: false },
  { acls: false, xattrs: true },
];
for (const owner of [true, false]) {
  for (const group of [true, false]) {
    wires.push(
      plainWire(31 + (wires.length % 2), {
        ...FURTHER[wires.length],
        incremental: true,
        hardLinks: false,
        owner,
        group,
        sumLength: owner ? 16 * (wires.length % 2) : 20 * (wires.length % 2),
      }),
    );
  }
}

t.test('rows that are encoded in runs are the same bytes as one by one', async (t) => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...wires), (seed, wire) => {
      const random = new Random(seed);
      const list = mixedList(random, 6000, wire.sumLength);
      giveAttributes(random, list);
      t.ok(encode(wire, list, true).equals(encode(wire, list, false)), `seed ${seed}`);
    }),
    { numRuns: 15 },
  );
});

/** All that was decoded, as text, and what the list says of its last rows. */
function decode(wire: ListWire, chunks: readonly Buffer[], oneByOne: boolean): string[] {
  const reader = new ByteReader();
  const list = new FileList(wire.sumLength);
  const extras = new ExtrasDecoder(list, wire, (name) => name, 7, new KeptBytes());
  const decoder = new EntryDecoder(wire, list, extras);
  decoder.oneByOne = oneByOne;
  let next = 0;
  for (let state = 0; state !== 2; ) {
    state = decoder.next(reader);
    if (state === 0) reader.push(chunks[next++]);
  }
  const lines: string[] = [];
  for (let row = 0; row < list.count; row++) {
    const parts = [list.path(row), list.mode(row).toString(8), list.size(row), list.mtime(row), list.nsec(row)];
    parts.push(list.uid(row), list.gid(row), list.flags(row), list.extra(row), list.group(row), list.base(row));
    parts.push(list.target(row).toString('latin1'), list.arenaOf(row)[list.offsetOf(row) + list.lengthOf(row)]);
    parts.push(list.sum(row).toString('hex'), list.xattrs(row));
    parts.push(list.isLink(row) ? '' : list.acl(row), list.isDir(row) ? list.defaultAcl(row) : '');
    lines.push(parts.join(' '));
  }
  while (next < chunks.length) reader.push(chunks[next++]);
  lines.push(`${reader.buffered} bytes behind the list`);
  return lines;
}

function pieces(random: Random, bytes: Buffer, longest: number): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunks[chunks.length - 1].length) {
    chunks.push(bytes.subarray(at, at + 1 + random.int(longest)));
  }
  return chunks;
}

t.test('rows that are decoded in runs are the same as one by one, however the bytes come', async (t) => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...wires), fc.integer({ min: 1, max: 40_000 }), (seed, wire, longest) => {
      const random = new Random(seed);
      const sent = mixedList(random, 6000, wire.sumLength);
      giveAttributes(random, sent);
      const bytes = Buffer.concat([encode(wire, sent, true), Buffer.from('behind')]);
      const chunks = longest < 20_000 ? pieces(random, bytes, longest) : [bytes];
      t.same(decode(wire, chunks, false), decode(wire, [bytes], true), `seed ${seed}`);
    }),
    { numRuns: 15 },
  );
});

/** A list as a peer may send it: files of one directory, in any order. */
function receivedFiles(names: readonly string[]): FileList {
  const wire = plainWire(32, { incremental: true, hardLinks: false });
  const sent = new FileList();
  for (const name of names) addEntry(sent, { path: `d/${name}`, mode: 0o100644 });
  const reader = new ByteReader();
  reader.push(encode(wire, sent, true));
  const list = new FileList();
  const decoder = new EntryDecoder(wire, list);
  while (decoder.next(reader) !== 2);
  return list;
}

const FINISH = { protocol: 32, removeDuplicates: true, incremental: true, pruneEmptyDirs: false };

t.test('the files of a directory are put in order, whether they come in order or not', async (t) => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 6000 }), fc.boolean(), (seed, count, isOrdered) => {
      const random = new Random(seed);
      const names: string[] = [];
      const width = 1 + random.int(12);
      for (let i = 0; i < count; i++) names.push(`${'common'.repeat(random.int(2))}${`${i}`.padStart(width, 'x')}`);
      const bytes = (text: string) => Buffer.from(text, 'latin1');
      const sorted = [...new Set(names)].sort((a, b) => Buffer.compare(bytes(a), bytes(b)));
      const list = receivedFiles(isOrdered ? sorted : shuffled(random, sorted));
      const segment = list.addSegment(-1, true);
      finishSegment(list, segment, FINISH);
      const got = sorted.map((_, i) => list.baseName(rowAt(segment, i)));
      t.same(got, sorted, `seed ${seed}, ${count} names`);
      t.ok(segment.isPlain || (!isOrdered && count < 16));
    }),
    { numRuns: 30 },
  );
});

function shuffled(random: Random, names: readonly string[]): string[] {
  const out = [...names];
  for (let i = out.length - 1; i > 0; i--) {
    const k = random.int(i + 1);
    [out[i], out[k]] = [out[k], out[i]];
  }
  return out;
}

t.test('a name that comes twice is found', async (t) => {
  for (const isOrdered of [true, false]) {
    const names = Array.from({ length: 3000 }, (_, i) => `file${10000 + i}`);
    names[2001] = names[2000];
    const list = receivedFiles(isOrdered ? names : names.reverse());
    const segment = list.addSegment(-1, true);
    finishSegment(list, segment, FINISH);
    t.notOk(segment.isPlain);
    const twice = [];
    for (let row = 0; row < list.count; row++) if (list.flags(row) & EntryFlag.DUPLICATE) twice.push(list.path(row));
    t.same(twice, ['d/file12000']);
  }
});
