import fc from 'fast-check';
import t from 'tap';
import { EntryFlag, rowAt } from '../../protocol/flist/list.js';
import { compareRows, findInSegment, findRow, finishSegment } from '../../protocol/flist/sort.js';
import { dirMode, type MadeEntry, makeList, sortedPaths } from './make-list.js';

const options = { protocol: 32, removeDuplicates: false, incremental: false, pruneEmptyDirs: false };
const receiver = { ...options, removeDuplicates: true };

/** A name as the protocol description writes it for the comparison. */
function text({ path, mode }: MadeEntry): string {
  if (mode !== dirMode) return path;
  if (path === '.' || path.endsWith('/.')) return path.slice(0, -1);
  return `${path}/`;
}

/** The comparison of the protocol description, step by step as it is written there. */
function literalOrder(a: string, b: string): number {
  for (let i = 0; ; i++) {
    if (i === 0 || a[i - 1] === '/') {
      const kindA = a.slice(i).includes('/') ? 1 : 0;
      const kindB = b.slice(i).includes('/') ? 1 : 0;
      if (kindA !== kindB) return kindA - kindB;
    }
    const byteA = i < a.length ? a.charCodeAt(i) : 0;
    const byteB = i < b.length ? b.charCodeAt(i) : 0;
    if (byteA !== byteB) return byteA - byteB;
    if (i >= a.length && i >= b.length) return 0;
  }
}

const component = fc.string({
  unit: fc.constantFrom('a', 'b', '.', '-', '0', '\xff', ' '),
  minLength: 1,
  maxLength: 9,
});
const path = fc
  .array(
    component.filter((name) => name !== '.' && name !== '..'),
    { minLength: 1, maxLength: 4 },
  )
  .map((parts) => parts.join('/'));
const entry: fc.Arbitrary<MadeEntry> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ path, mode: fc.constantFrom(undefined, dirMode) }) },
  { weight: 1, arbitrary: fc.record({ path: path.map((p) => `/${p}`), mode: fc.constantFrom(undefined, dirMode) }) },
  { weight: 1, arbitrary: fc.constantFrom({ path: '.', mode: dirMode }, { path: '/.', mode: dirMode }) },
);
/** Random entries; most with an entry for each of their directories, as an honest sender has them. */
const entries = fc.tuple(fc.array(entry, { maxLength: 60 }), fc.boolean()).map(([list, complete]) => {
  if (!complete) return list;
  const parents = new Set<string>();
  for (const e of list) {
    for (let at = e.path.indexOf('/', 1); at > 0; at = e.path.indexOf('/', at + 1)) parents.add(e.path.slice(0, at));
  }
  return [...list, ...[...parents].map((p) => ({ path: p, mode: dirMode }))];
});

t.test('the order is that of the description, and stable', async (t) => {
  fc.assert(
    fc.property(entries, (made) => {
      const { list, segment } = makeList(made);
      const used = list.count === 0 ? 0 : list.chunkOf(0).arenaUsed;
      finishSegment(list, segment, options);
      const wanted = made.map((_, i) => i).sort((a, b) => literalOrder(text(made[a]), text(made[b])) || a - b);
      const got = made.map((_, i) => rowAt(segment, i));
      if (got.join() !== wanted.join()) throw new Error(`${got} instead of ${wanted}`);
      const left = used > 0 && list.chunkOf(0).arenaUsed !== used;
      if (list.count !== made.length || left) throw new Error('rows were left behind');
      const dirs = got.filter((row) => list.isDir(row));
      if (list.dirRows.join() !== dirs.join()) throw new Error('directories are numbered in sorted order');
      if (dirs.some((row, i) => list.extra(row) !== i)) throw new Error('a directory row knows its number');
    }),
    { numRuns: 1500 },
  );
  t.pass();
});

t.test('compareRows agrees for every pair', async (t) => {
  fc.assert(
    fc.property(entry, entry, (a, b) => {
      const { list } = makeList([a, b]);
      const wanted = Math.sign(literalOrder(text(a), text(b)));
      return Math.sign(compareRows(list, 0, 1, 32)) === wanted && Math.sign(compareRows(list, 1, 0, 32)) === -wanted;
    }),
    { numRuns: 3000 },
  );
  t.pass();
});

t.test('below protocol 29 the bytes of the path decide', async (t) => {
  fc.assert(
    fc.property(entries, (made) => {
      const { list, segment } = makeList(made);
      finishSegment(list, segment, { ...options, protocol: 28 });
      const wanted = made
        .map((_, i) => i)
        .sort((a, b) => (made[a].path < made[b].path ? -1 : +(made[a].path > made[b].path)));
      const got = made.map((_, i) => rowAt(segment, i));
      return got.join() === wanted.join();
    }),
  );
  t.pass();
});

t.test('files first, a directory before its content, "a.b" before "a"', async (t) => {
  const names = ['a/', 'a/z', 'b', 'a.b/', 'a.b/c', './', 'a/d/', 'a/d/e', 'a.c', 'B/'];
  const { list, segment } = makeList(
    names.map((name) => (name.endsWith('/') ? { path: name.slice(0, -1), mode: dirMode } : { path: name })),
  );
  finishSegment(list, segment, options);
  const wanted = ['./', 'a.c', 'b', 'B/', 'a.b/', 'a.b/c', 'a/', 'a/z', 'a/d/', 'a/d/e'];
  t.same(sortedPaths(list, segment), wanted);
  const again = makeList(wanted.map((n) => (n.endsWith('/') ? { path: n.slice(0, -1), mode: dirMode } : { path: n })));
  finishSegment(again.list, again.segment, options);
  t.equal(again.segment.order, null, 'a sorted list needs no order');
});

t.test('many siblings with long common prefixes', async (t) => {
  const made: MadeEntry[] = [];
  for (let i = 0; i < 3000; i++) {
    made.push({ path: `dir/common-prefix-of-all-${(i * 7919) % 3001}`, mode: i % 5 === 0 ? dirMode : undefined });
  }
  made.push({ path: 'dir', mode: dirMode });
  const { list, segment } = makeList(made);
  finishSegment(list, segment, options);
  const wanted = made.map((_, i) => i).sort((a, b) => literalOrder(text(made[a]), text(made[b])) || a - b);
  t.same([...segment.order!], wanted);
});

t.test('duplicates: the first stays, a directory beats the rest, two directories merge', async (t) => {
  const { TOP_DIR, CONTENT_DIR, IMPLIED_DIR, DUPLICATE } = EntryFlag;
  const { list, segment } = makeList([
    { path: 'f' },
    { path: 'x' },
    { path: 'd', mode: dirMode, flags: IMPLIED_DIR },
    { path: 'x', mode: dirMode },
    { path: 'f' },
    { path: 'd', mode: dirMode, flags: TOP_DIR | CONTENT_DIR },
    { path: 'i', mode: dirMode, flags: IMPLIED_DIR },
    { path: 'i', mode: dirMode, flags: IMPLIED_DIR },
    { path: 'x.y' },
  ]);
  finishSegment(list, segment, receiver);
  const inactive = [...Array(list.count).keys()].map((row) => (list.flags(row) & DUPLICATE) !== 0);
  t.same(inactive, [false, true, false, false, true, true, false, true, false]);
  t.equal(list.flags(2), TOP_DIR | CONTENT_DIR);
  t.equal(list.flags(6), IMPLIED_DIR);
  t.equal(list.dirRows.length, 5, 'duplicates keep their numbers');
  const old = makeList([{ path: 'x' }, { path: 'x', mode: dirMode }, { path: 'x' }]);
  finishSegment(old.list, old.segment, { ...receiver, protocol: 28 });
  t.same(
    [0, 1, 2].map((row) => old.list.isInactive(row)),
    [true, false, true],
  );
  const sender = makeList([{ path: 'f' }, { path: 'f' }]);
  finishSegment(sender.list, sender.segment, options);
  t.same(
    [0, 1].map((row) => sender.list.isInactive(row)),
    [false, false],
    'a sender keeps them',
  );
});

t.test('leading slashes go after sorting, on a receiver only', async (t) => {
  const made = [{ path: '/usr', mode: dirMode }, { path: '/usr/a' }, { path: '/.', mode: dirMode }, { path: '-b' }];
  const mine = makeList(made);
  finishSegment(mine.list, mine.segment, options);
  t.same(sortedPaths(mine.list, mine.segment), ['-b', '/./', '/usr/', '/usr/a']);
  const theirs = makeList(made);
  finishSegment(theirs.list, theirs.segment, receiver);
  t.same(sortedPaths(theirs.list, theirs.segment), ['-b', './', 'usr/', 'usr/a']);
});

t.test('directories without files are pruned, protected ones stay with their parents', async (t) => {
  const dirs = ['.', 'a', 'a/b', 'a/b/c', 'e', 'e/f', 'k', 'k/l', 'k/l/m'].map((p) => ({ path: p, mode: dirMode }));
  const { list, segment } = makeList([...dirs, { path: 'a/b/file' }]);
  const keepDir = (row: number) => list.path(row) === 'k/l';
  finishSegment(list, segment, { ...receiver, pruneEmptyDirs: true, keepDir });
  const active = dirs.filter((_, row) => !list.isInactive(row)).map(({ path }) => path);
  t.same(active, ['.', 'a', 'a/b', 'k', 'k/l']);
});

t.test('every active entry is found by name, and nothing else', async (t) => {
  fc.assert(
    fc.property(entries, fc.array(path, { maxLength: 20 }), fc.constantFrom(28, 32), (made, others, protocol) => {
      const { list, segment } = makeList(made);
      finishSegment(list, segment, { ...receiver, protocol });
      const active = new Map<string, number>();
      for (let row = 0; row < list.count; row++) if (!list.isInactive(row)) active.set(list.path(row), row);
      active.delete('.');
      for (const [name, row] of active) {
        const found = findRow(list, segment, name);
        // A file and a directory may share a name once slashes were stripped.
        if (found !== row && list.path(found) !== name) throw new Error(`${name}: row ${found} instead of ${row}`);
      }
      for (const name of others) if (!active.has(name) && findRow(list, segment, name) !== -1) throw new Error(name);
    }),
    { numRuns: 400 },
  );
  const { list, segment } = makeList([{ path: 'd/a' }, { path: 'd/b' }]);
  finishSegment(list, segment, receiver);
  const name = Buffer.from('--a--');
  t.equal(findInSegment(list, segment, list.dirs.id('d'), name, 2, 3), 0);
  t.equal(findInSegment(list, segment, 0, name, 2, 3), -1);
  t.equal(findInSegment(list, segment, list.dirs.id('new'), name, 2, 3), -1);
  list.addFlags(0, EntryFlag.CLEARED);
  t.equal(findInSegment(list, segment, list.dirs.id('d'), name, 2, 3), -1, 'a cleared entry is not found');
});
