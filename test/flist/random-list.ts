import { ByteReader } from '../../protocol/bytes/reader.js';
import { EntryDecoder } from '../../protocol/flist/decode.js';
import { EntryEncoder } from '../../protocol/flist/encode.js';
import { EntryFlag, FileList } from '../../protocol/flist/list.js';
import { isDevice, isSpecial, type ListWire } from '../../protocol/flist/wire.js';
import type { Random } from '../lib/random.js';
import { collector } from './capture.js';
import { addEntry } from './make-list.js';

const { TOP_DIR, CONTENT_DIR, IMPLIED_DIR, HLINKED, HLINK_FIRST } = EntryFlag;

const modes = [0o100644, 0o100755, 0o120777, 0o020600, 0o060600, 0o010644, 0o140755, 0o040755, 0o042700];
const times = [0, 1, 1_700_000_000, 1_700_000_001, 2 ** 31, 2 ** 32 - 1];
const sizes = [0, 5, 65535, 2 ** 24, 2 ** 31, 2 ** 40 + 3, 2 ** 53 - 1];

/** Fills every column of a random list that the wire can carry. */
export function randomList(
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

export function encode(wire: ListWire, made: ReturnType<typeof randomList>, ioError: number): Buffer {
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

export function decode(
  wire: ListWire,
  chunks: readonly Buffer[],
): { list: FileList; decoder: EntryDecoder; left: number } {
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
