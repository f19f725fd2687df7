import fc from 'fast-check';
import t from 'tap';
import { EntryEncoder } from '../../protocol/flist/encode.js';
import { EntryFlag, FileList } from '../../protocol/flist/list.js';
import type { ListWire } from '../../protocol/flist/wire.js';
import { Random } from '../lib/random.js';
import { collector, plainWire } from './capture.js';
import { addEntry } from './make-list.js';

const NAMES = { userName: () => null, groupName: () => 'users' };
const MODES = [0o100644, 0o100644, 0o100644, 0o100755, 0o040755, 0o120777, 0o020600];
const DIRS = ['', 'a', 'a/b', 'ab', `long/${'d'.repeat(300)}`];

/** A list with long stretches of files that have much in common, and exceptions of all kinds between them. */
function mixedList(random: Random, count: number): FileList {
  const list = new FileList();
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
    if (mode === 0o020600) list.setDevice(row, 5, random.int(300));
  }
  return list;
}

function encode(wire: ListWire, list: FileList, inRuns: boolean): Buffer {
  const { writer, taken } = collector();
  const encoder = new EntryEncoder(wire, list, NAMES);
  for (let row = 0; row < list.count; ) {
    if (inRuns) row = encoder.encodeSome(writer, row, list.count);
    else encoder.encode(writer, row++);
  }
  encoder.end(writer, 0);
  return taken();
}

const wires: ListWire[] = [];
for (const owner of [true, false]) {
  for (const group of [true, false]) {
    wires.push(plainWire(31 + (wires.length % 2), { incremental: true, hardLinks: false, owner, group }));
  }
}

t.test('rows that are encoded in runs are the same bytes as one by one', async (t) => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...wires), (seed, wire) => {
      const list = mixedList(new Random(seed), 6000);
      t.ok(encode(wire, list, true).equals(encode(wire, list, false)), `seed ${seed}`);
    }),
    { numRuns: 15 },
  );
});
