import t from 'tap';
import { DirtySet, type Mark, TREE } from '../../src/live/dirty-set.js';
import { Change } from '../../src/watch/changes.js';
import { Random } from '../lib/random.js';

const A = 1;
const B = 2;
const NO_LIMIT = 1_000_000;

/** The same set as a plain list, the slow and obvious way. */
class Model {
  readonly marks = new Map<string, Mark>();

  mark(path: string, what: number, since: number): void {
    for (const mark of this.marks.values()) {
      if (mark.what & TREE && isBelow(path, mark.path)) return;
    }
    const mark = { path, what, since };
    for (const old of [...this.marks.values()]) {
      const swallowed = what & TREE ? isBelow(old.path, path) : old.path === path;
      if (!swallowed) continue;
      mark.since = Math.min(mark.since, old.since);
      if (old.path === path) mark.what |= old.what;
      this.marks.delete(old.path);
    }
    this.marks.set(path, mark);
  }

  move(from: string, to: string): void {
    const all = [...this.marks.values()];
    for (const { path } of all) if (isBelow(path, from)) this.marks.delete(path);
    for (const { path, what, since } of all) {
      if (isBelow(path, from)) this.mark(to + path.slice(from.length), what, since);
    }
  }

  sorted(): Mark[] {
    const key = (path: string) => path.replaceAll('/', '\0');
    return [...this.marks.values()].sort((a, b) => (key(a.path) < key(b.path) ? -1 : 1));
  }
}

function isBelow(path: string, dir: string): boolean {
  return dir === '' || path === dir || path.startsWith(`${dir}/`);
}

function randomPath(random: Random): string {
  const depth = random.int(4);
  return Array.from({ length: depth }, () => random.pick(['a', 'b', 'c-', 'c'])).join('/');
}

t.test('marks come out once, parents first, with the oldest time', async (t) => {
  const set = new DirtySet(NO_LIMIT);
  t.equal(set.oldest, Number.POSITIVE_INFINITY);
  set.mark('d/x', A, 20);
  set.mark('d', B, 30);
  set.mark('d/x', B, 10);
  t.equal(set.oldest, 10);
  t.equal(set.count, 2);
  t.same(set.take(), [
    { path: 'd', what: B, since: 30 },
    { path: 'd/x', what: A | B, since: 10 },
  ]);
  t.same([set.count, set.take(), set.oldest], [0, [], Number.POSITIVE_INFINITY]);
});

t.test('a stale directory swallows what lies below it, before and after', async (t) => {
  const set = new DirtySet(NO_LIMIT);
  set.mark('d/e/f', A, 5);
  set.mark('g', A, 6);
  set.mark('d', TREE, 9);
  set.mark('d/e', A, 3);
  t.same(set.take(), [
    { path: 'd', what: TREE, since: 5 },
    { path: 'g', what: A, since: 6 },
  ]);
});

t.test('all of a directory that was made or removed is in doubt, of another entry nothing', async (t) => {
  const set = new DirtySet(NO_LIMIT);
  const { MADE, REMOVED, ATTRIBUTES, DIRECTORY } = Change;
  set.mark('made/x', A, 1);
  set.mark('made', MADE | DIRECTORY, 2);
  set.mark('removed', REMOVED | DIRECTORY, 3);
  set.mark('changed', ATTRIBUTES | DIRECTORY, 4);
  set.mark('file', MADE, 5);
  t.same(set.take(), [
    { path: 'changed', what: ATTRIBUTES | DIRECTORY, since: 4 },
    { path: 'file', what: MADE, since: 5 },
    { path: 'made', what: MADE | DIRECTORY | TREE, since: 1 },
    { path: 'removed', what: REMOVED | DIRECTORY | TREE, since: 3 },
  ]);
});

t.test('a file that moves onto the name of a directory does not hide that all of it is in doubt', async (t) => {
  const set = new DirtySet(NO_LIMIT);
  set.mark('d', Change.REMOVED | Change.DIRECTORY, 1);
  set.move('f', 'd');
  set.mark('d', Change.MADE, 2);
  t.equal(set.take()[0].what & TREE, TREE);
});

t.test('what others are busy with stays', async (t) => {
  const set = new DirtySet(NO_LIMIT);
  const busy = new DirtySet(NO_LIMIT);
  for (const path of ['a/b', 'd']) busy.mark(path, A, 1);
  for (const path of ['a', 'a/b', 'a/b/c', 'a/bc', 'd/e', 'f']) set.mark(path, A, path === 'f' ? 2 : 3);
  t.same(
    set.take([busy]).map((mark) => mark.path),
    ['a/bc', 'f'],
  );
  t.equal(set.oldest, 3);
  t.same(
    set.take().map((mark) => mark.path),
    ['a', 'a/b', 'a/b/c', 'd/e'],
  );
  t.ok(busy.concerns(''), 'the root holds all');
});

t.test('a look for one path ends with the first that will do', async (t) => {
  const set = new DirtySet(NO_LIMIT);
  t.notOk(
    set.hasPath(() => true),
    'an empty set has none',
  );
  for (const path of ['a/b', 'a/c', 'd', 'e/f/g']) set.mark(path, A, 1);
  const seen: string[] = [];
  t.ok(set.hasPath((path) => seen.push(path) === 2));
  t.equal(seen.length, 2);
  seen.length = 0;
  t.notOk(set.hasPath((path) => seen.push(path) === 0));
  t.same(seen.sort(), ['a/b', 'a/c', 'd', 'e/f/g'], 'directories without a mark are no paths');
});

t.test('beyond its limit it knows only that everything is stale', async (t) => {
  const set = new DirtySet(3);
  for (const name of ['a', 'b', 'c']) set.mark(name, A, 7);
  t.notOk(set.everything);
  set.mark('d', A, 9);
  t.ok(set.everything);
  t.same(set.take(), [{ path: '', what: TREE, since: 7 }]);
});

t.test('random marks, moves and failed sessions against the plain way', async (t) => {
  const wrong: string[] = [];
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const set = new DirtySet(NO_LIMIT);
    const model = new Model();
    for (let step = 0; step < 40; step++) {
      const path = randomPath(random);
      const kind = random.int(10);
      if (kind === 0 && path !== '') {
        const to = randomPath(random);
        if (isBelow(to, path) || isBelow(path, to)) continue;
        set.move(path, to);
        model.move(path, to);
      } else if (kind === 1) {
        set.restore(set.take());
      } else {
        const what = kind < 4 && path !== '' ? TREE | A : random.pick([A, B]);
        set.mark(path, what, 100 - step);
        model.mark(path, what, 100 - step);
      }
      if (set.count !== model.marks.size) wrong.push(`count, seed ${seed}, step ${step}`);
    }
    if (JSON.stringify(set.take()) !== JSON.stringify(model.sorted())) wrong.push(`marks, seed ${seed}`);
  }
  t.same(wrong, []);
});
