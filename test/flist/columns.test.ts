import t from 'tap';
import { CHUNK_ROWS, Column } from '../../protocol/flist/chunk.js';
import { FileList } from '../../protocol/flist/list.js';
import { Random } from '../lib/random.js';

/** Values that share a column: one for all, those of 32 bits, and larger ones. */
const KINDS: readonly ((random: Random) => number)[] = [
  () => 7,
  (random) => random.int(1 << 30),
  (random) => random.int(1 << 30) * 4096,
];

/** Gives all rows their first values, by one, by many or by equal ones, and says what they are. */
function filled(column: Column, random: Random, rows: number): number[] {
  const values: number[] = [];
  while (values.length < rows) {
    const at = values.length;
    const n = Math.min(rows - at, 1 + random.int(200));
    const how = random.int(4);
    if (how === 0) {
      const many = Int32Array.from({ length: n }, () => random.int(1 << 30));
      column.setMany(at, many);
      values.push(...many);
    } else if (how === 1) {
      const value = random.int(3);
      column.setSame(at, n, value);
      values.push(...new Array<number>(n).fill(value));
    } else {
      const kind = KINDS[random.int(KINDS.length)];
      for (let i = at; i < at + n; i++) {
        values.push(kind(random));
        column.set(i, values[i]);
      }
    }
  }
  return values;
}

t.test('a column holds what it was given, however it grew, and after it was cleared', async (t) => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const column = new Column();
    for (let use = 0; use < 3; use++) {
      const rows = 1 + random.int(use === 1 ? 70 : CHUNK_ROWS);
      const values = filled(column, random, rows);
      for (let change = 0; change < 20; change++) {
        const i = random.int(rows);
        values[i] = KINDS[random.int(KINDS.length)](random);
        column.set(i, values[i]);
      }
      const wrong = values.findIndex((value, i) => column.get(i) !== value);
      if (wrong >= 0) return t.fail(`seed ${seed}, use ${use}, row ${wrong} of ${rows}`);
      column.clear();
    }
  }
  t.pass();
});

t.test('rows keep their names and numbers while a chunk and the next one grow', async (t) => {
  const list = new FileList();
  const rows = CHUNK_ROWS + 300;
  for (let i = 0; i < rows; i++) {
    const name = Buffer.from(`name ${i}`);
    const row = list.addRow();
    list.setName(row, name, 0, name.length);
    list.setMode(row, i & 0xffff);
    list.setDir(row, i >> 8);
    list.setFlags(row, i & 0xff);
    list.setNsec(row, i * 3);
  }
  for (let i = 0; i < rows; i++) {
    const isRight =
      list.baseName(i) === `name ${i}` &&
      list.mode(i) === (i & 0xffff) &&
      list.dir(i) === i >> 8 &&
      list.flags(i) === (i & 0xff) &&
      list.nsec(i) === i * 3 &&
      list.extra(i) === -1;
    if (!isRight) return t.fail(`row ${i}`);
  }
  t.pass();
});

t.test('--max-alloc: a list that is longer than its pointers may be', (t) => {
  const list = new FileList();
  list.maxAlloc = 1 << 20;
  list.tooLarge = () => new Error('exceeded');
  for (let i = 0; i < 131_072; i++) list.addRow();
  t.throws(() => list.addRow(), { message: 'exceeded' });
  list.maxAlloc = 2 << 20;
  t.equal(list.addRow(), 131_072);
  t.end();
});
