import { spawnSync } from 'node:child_process';
import { lstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EntryFlag } from '../../protocol/flist/list.js';
import { ourList, realList } from '../filter/oracle.js';
import { tempDir } from '../lib/temp.js';
import { buildTree } from '../lib/tree.js';
import { makeTree } from './tree.js';

const OPTIONS = [
  ['-r'],
  ['-a'],
  ['-d'],
  [],
  ['-rL'],
  ['-rlk'],
  ['-rl', '--copy-unsafe-links'],
  ['-rx'],
  ['-aH'],
  ['-rl', '--chmod=D700,Fo-r'],
];
const SOURCES = [
  ['src/'],
  ['src'],
  ['src', 'other'],
  ['src/', 'other/'],
  ['src/', 'src/'],
  ['src/d1', 'src/file', 'plain'],
  ['src/.'],
  ['.'],
  ['./'],
  ['src/..'],
  ['link-to-src'],
  ['link-to-src/'],
  ['src/to-out/in'],
  ['src/nothing', 'src/file', 'nodir/x', 'nodir/', 'plain/'],
  ['a b/c d', 'a b'],
  ['//proc/../etc/hostname'],
  ['-R', 'src/d1/d2'],
  ['-R', 'src/d1/d2', 'src/d1/one', 'other/in/'],
  ['-R', 'src/./d1/d2/', 'other/./in'],
  ['-R', './src/d1/one'],
  ['-R', 'src/d1/./'],
  ['-R', 'src/./'],
  ['-R', 'link-to-src/d1/one', 'src/to-dir/d2/'],
  ['-R', '/etc/hostname', '//etc//./hostname'],
  ['-R', 'src//d1/.//d2/.', 'src/nothing/x', 'nodir/./x'],
  ['-R', 'plain/', 'plain/x', 'src/d1/'],
  ['-R', '--no-implied-dirs', 'src/d1/d2'],
];

/** Sources that are tried with all options. */
const EACH = new Set(['src/', 'link-to-src']);

t.test('lists what the real rsync lists', (t) => {
  const cwd = tempDir(t);
  makeTree(cwd);
  for (const options of OPTIONS) {
    for (const [n, sources] of SOURCES.entries()) {
      // Everything with -r, and some with each other option.
      if (options !== OPTIONS[0] && (n + OPTIONS.indexOf(options)) % 4 !== 0 && !EACH.has(sources[0])) continue;
      const args = [...options, ...sources];
      const real = realList({ cwd, args });
      const ours = ourList({ cwd, args });
      const label = args.join(' ');
      t.same(ours.lines, real.lines, label);
      t.same(ours.messages.map((m) => m.trimEnd()).sort(), senderMessages(real.messages), `messages of ${label}`);
      if (!options[0]?.startsWith('-r') && options[0] !== '-a' && options[0] !== '-aH') continue;
      const incremental = ourList({ cwd, args, incremental: true });
      t.same(incremental.lines, real.lines, `incremental: ${label}`);
    }
  }
  t.end();
});

function senderMessages(messages: string[]): string[] {
  return messages.filter((m) => !/^rsync: \[Receiver|^$/.test(m)).sort();
}

t.test('a bad -R name is refused as by the real rsync', (t) => {
  const cwd = tempDir(t);
  makeTree(cwd);
  for (const source of ['../x', 'src/../plain', 'src/..', 'src/./d1/..']) {
    const real = realList({ cwd, args: ['-rR', source] });
    t.equal(real.code === 1 || real.code === 19, true, source);
    t.throws(() => ourList({ cwd, args: ['-rR', source] }), { exitCode: 1, message: real.messages[0] }, source);
  }
  t.end();
});

t.test('random trees with odd names', (t) => {
  const cwd = tempDir(t);
  for (const seed of [1, 2, 3]) {
    const tree = buildTree(join(cwd, `t${seed}`), {
      seed,
      files: 60,
      dirs: 15,
      oddNames: true,
      fifos: true,
      hardLinks: true,
      maxSize: 2000,
    });
    for (const incremental of [false, true]) {
      const ours = ourList({ cwd, args: ['-a', `t${seed}/`], incremental });
      const expected = 1 + tree.dirs.filter((d) => d !== '').length;
      t.equal(
        count(ours, (row) => ours.list.isDir(row)),
        expected,
        'directories',
      );
      for (let row = 0; row < ours.list.count; row++) checkRow(t, ours, row, cwd, `t${seed}`);
      t.equal(ours.list.count, entriesBelow(join(cwd, `t${seed}`)) + 1);
    }
  }
  t.end();
});

type Ours = ReturnType<typeof ourList>;
type Tap = Pick<typeof t, 'same' | 'equal'>;

function count(ours: Ours, test: (row: number) => boolean): number {
  let n = 0;
  for (let row = 0; row < ours.list.count; row++) if (test(row)) n++;
  return n;
}

function entriesBelow(dir: string): number {
  return spawnSync('find', [dir, '-mindepth', '1', '-printf', 'x'], { encoding: 'latin1' }).stdout.length;
}

function checkRow(t: Tap, ours: Ours, row: number, cwd: string, top: string): void {
  const { list, scanner } = ours;
  const name = list.path(row);
  const st = lstatSync(Buffer.from(`${cwd}/${top}/${name}`, 'latin1'), { bigint: true });
  const here = lstatSync(scanner.sourcePath(row), { bigint: true });
  const found = [list.mode(row), list.mtime(row), list.nsec(row), list.uid(row), list.gid(row)];
  const ns = Number(st.mtimeNs % 1_000_000_000n);
  t.same(found, [Number(st.mode), Number(st.mtimeNs / 1_000_000_000n), ns, Number(st.uid), Number(st.gid)], name);
  t.equal(here.ino, st.ino, `source path of ${name}`);
}

t.test('hard links are groups by the number of their first member in the stream', (t) => {
  const cwd = tempDir(t);
  makeTree(cwd);
  for (const incremental of [false, true]) {
    const { list } = ourList({ cwd, args: ['-aH', 'src/'], incremental });
    const rows = [...Array(list.count).keys()].filter((row) => list.flags(row) & EntryFlag.HLINKED);
    t.same(rows.map((row) => list.baseName(row)).sort(), ['file', 'hard', 'hard2']);
    const first = rows[0];
    const segment = [...list.segments].find((s) => first >= s.start && first < s.start + s.count);
    t.equal(list.group(first), (segment?.firstNdx ?? 0) + first - (segment?.start ?? 0));
    t.same(
      rows.map((row) => list.group(row) === list.group(first)),
      [true, true, true],
    );
    t.same(
      rows.map((row) => (list.flags(row) & EntryFlag.HLINK_FIRST) !== 0),
      [true, false, false],
    );
  }
  const old = ourList({ cwd, args: ['-aH', 'src/'], protocol: 29 });
  const row = [...Array(old.list.count).keys()].find((r) => old.list.path(r) === 'd/hard') as number;
  t.equal(old.scanner.inos[row], statSync(join(cwd, 'src/file')).ino);
  t.equal(old.scanner.devs[row], statSync(join(cwd, 'src/file')).dev);
  t.end();
});

t.test('flags of directories', (t) => {
  const cwd = tempDir(t);
  makeTree(cwd);
  const flagsOf = (args: string[], incremental: boolean) => {
    const { list } = ourList({ cwd, args, incremental });
    const out: Record<string, number> = {};
    for (let row = 0; row < list.count; row++) if (list.isDir(row)) out[list.path(row)] = list.flags(row) & 7;
    return out;
  };
  const { TOP_DIR, CONTENT_DIR, IMPLIED_DIR } = EntryFlag;
  for (const incremental of [false, true]) {
    const found = flagsOf(['-rR', 'src/d1/d2'], incremental);
    t.same(found, { src: IMPLIED_DIR, 'src/d1': IMPLIED_DIR, 'src/d1/d2': TOP_DIR | CONTENT_DIR });
    t.same(flagsOf(['-r', 'other/'], incremental), { '.': TOP_DIR | CONTENT_DIR, in: CONTENT_DIR });
    t.same(flagsOf(['-rR', './other/in/p'], incremental), {
      '.': IMPLIED_DIR,
      other: IMPLIED_DIR,
      'other/in': IMPLIED_DIR,
    });
  }
  t.same(flagsOf(['-d', 'other/'], false), { '.': TOP_DIR | CONTENT_DIR, in: 0 });
  t.same(flagsOf(['-d', 'other'], false), { other: 0 });
  t.end();
});
