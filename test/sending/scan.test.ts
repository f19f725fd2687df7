import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { EntryFlag } from '../../protocol/flist/list.js';
import { Root } from '../../src/files/root.js';
import { isUnsafeLink } from '../../src/files/unsafe-link.js';
import { parseArgument } from '../../src/sending/scan-argument.js';
import { ourList, realList } from '../filter/oracle.js';
import { tempDir } from '../lib/temp.js';
import { buildTree } from '../lib/tree.js';

const DIRS = ['src/d1/d2', 'src/d.x', 'src/d', 'src/empty', 'other/in', 'a b'];

/** A small tree with every kind of file and of link. */
function makeTree(cwd: string): void {
  for (const dir of DIRS) mkdirSync(join(cwd, dir), { recursive: true });
  for (const file of [
    'src/file',
    'src/d1/one',
    'src/d1/d2/two',
    'src/d/z',
    'src/d.x/y',
    'other/o',
    'other/in/p',
    'a b/c d',
    'plain',
  ]) {
    writeFileSync(join(cwd, file), file.repeat(file.length));
  }
  const links = {
    'src/to-file': 'file',
    'src/to-dir': 'd1',
    'src/to-out': '../other',
    'src/d1/up': '../file',
    'src/abs': '/etc/hostname',
    'src/d1/gone': 'nothing',
    'link-to-src': 'src',
    'src/d1/back': 'd2/../one',
  };
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(cwd, path));
  spawnSync('mkfifo', [join(cwd, 'src/fifo')]);
  if (process.getuid?.() === 0) spawnSync('mknod', [join(cwd, 'src/null'), 'c', '1', '3']);
  linkSync(join(cwd, 'src/file'), join(cwd, 'src/d/hard'));
  linkSync(join(cwd, 'src/file'), join(cwd, 'src/d1/hard2'));
  // Several sources can be the '.' of one listing: which of them that is must not show in its time.
  for (const dir of [...DIRS, 'src/d1', 'src', 'other', '.']) utimesSync(join(cwd, dir), 1_000_000_000, 1_000_000_000);
}

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

t.test('missing arguments', (t) => {
  const cwd = tempDir(t);
  makeTree(cwd);
  const ignored = ourList({ cwd, args: ['-r', '--ignore-missing-args', 'nope', 'plain', 'nodir/x'] });
  t.same(ignored.lines.length, 1);
  t.match(
    ignored.messages.join(),
    /^rsync: \[sender\] change_dir ".*\/nodir" failed: No such file or directory \(2\)\n$/,
  );
  for (const incremental of [false, true]) {
    const args = ['-rR', '--delete-missing-args', 'src/d1/nope', 'nope', 'plain'];
    const { list, messages } = ourList({ cwd, args, incremental });
    const modes = [...Array(list.count).keys()].map((row) => [list.path(row), list.mode(row) === 0]);
    t.same(modes.sort(), [
      ['nope', true],
      ['plain', false],
      ['src', false],
      ['src/d1', false],
      ['src/d1/nope', true],
    ]);
    t.same(messages, []);
  }
  t.end();
});

t.test('what cannot be read', { skip: process.getuid?.() !== 0 && 'needs root to become somebody else' }, (t) => {
  const cwd = tempDir(t);
  makeTree(cwd);
  chmodSync(join(cwd, 'src/d1'), 0);
  chmodSync(join(cwd, 'src/empty'), 0o111);
  process.seteuid?.(65534);
  t.teardown(() => process.seteuid?.(0));
  const ours = ourList({ cwd, args: ['-rl', 'src/'] });
  process.seteuid?.(0);
  const script = `cd '${cwd}' && exec setpriv --reuid 65534 --clear-groups rsync -rl --list-only src/ nowhere/`;
  const real = spawnSync('sh', ['-c', script], { encoding: 'latin1', env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' } });
  const errors = real.stderr.split('\n').filter((line) => line.startsWith('rsync: [sender]'));
  t.same(ours.messages.map((m) => m.trimEnd()).sort(), errors.sort());
  t.equal(errors.length >= 2, true, real.stderr);
  t.equal(ours.ioError, 1);
  t.end();
});

t.test('mount points', (t) => {
  const mounted = readFileSync('/proc/mounts', 'latin1')
    .split('\n')
    .map((line) => line.split(' ')[1]);
  const parent = '/dev';
  if (!mounted.some((path) => path?.startsWith('/dev/'))) {
    t.pass('nothing is mounted below /dev here');
    t.end();
    return;
  }
  const dirs = (lines: string[]) => lines.filter((line) => line.startsWith('d')).map((line) => line.split(' ').at(-1));
  for (const option of ['-rx', '-rxx']) {
    const args = [option, '--exclude=/fd', `${parent}/`];
    t.same(dirs(ourList({ cwd: '/', args }).lines), dirs(realList({ cwd: '/', args }).lines), option);
  }
  const { list } = ourList({ cwd: '/', args: ['-rx', `${parent}/`] });
  const marked = [...Array(list.count).keys()].filter((row) => list.flags(row) & EntryFlag.MOUNT_DIR);
  t.ok(marked.length > 0);
  t.equal(
    marked.some((row) => list.flags(row) & EntryFlag.CONTENT_DIR),
    false,
  );
  t.end();
});

t.test('a confined tree is not left', (t) => {
  const cwd = tempDir(t);
  makeTree(cwd);
  const root = Root.confined(join(cwd, 'src'), true);
  t.teardown(() => root.close());
  const list = (...args: string[]) => ourList({ cwd: join(cwd, 'src'), root, module: 'm', args });
  t.match(list('-r', '../other/').messages.join(), 'change_dir "other" (in m) failed: No such file');
  t.match(list('-r', '/etc').messages.join(), 'link_stat "etc" (in m) failed: No such file');
  t.match(list('-r', 'to-out/').messages.join(), 'change_dir "to-out" (in m) failed');
  t.match(list('-rL', './').messages.join(), 'abs');
  const followed = list('-rL', './').lines.map((line) => line.split(' ').at(-1));
  t.ok(followed.includes('to-dir/one'), 'links inside are followed');
  t.notOk(
    followed.some((name) => name?.startsWith('to-out') || name === 'abs'),
    'links that lead out are not',
  );
  t.ok(list('-rl', './').lines.some((line) => line.endsWith('to-out -> ../other')));
  t.same(list('-r', '../../..').lines, list('-r', './').lines, 'too many .. end at the root');
  const gone = list('-rL', './d1/');
  rmSync(join(cwd, 'src/d1'), { recursive: true });
  t.throws(() => lstatSync(gone.scanner.sourcePath(gone.list.count - 1)), { code: 'ENOENT' });
  t.end();
});

t.test('a filter file that is no plain file is left alone', (t) => {
  const cwd = tempDir(t);
  makeTree(cwd);
  spawnSync('mkfifo', [join(cwd, 'src/d/.rsync-filter')]);
  mkdirSync(join(cwd, 'src/d1/.rsync-filter'));
  writeFileSync(join(cwd, 'src/d.x/.rsync-filter'), '- y\n');
  const lines = ourList({ cwd, args: ['-rF', 'src/'] }).lines.map((line) => line.split(' ').at(-1));
  t.ok(lines.includes('d/z') && lines.includes('d1/one'));
  t.notOk(lines.includes('d.x/y'));
  t.end();
});

t.test('munged links are sent as they were', (t) => {
  const cwd = tempDir(t);
  symlinkSync('/rsyncd-munged/target', join(cwd, 'a'));
  symlinkSync('plain', join(cwd, 'b'));
  const lines = ourList({ cwd, args: ['-l', '--munge-links', 'a', 'b'] }).lines.map((line) => line.split(' -> ')[1]);
  t.same(lines.sort(), ['plain', 'target']);
  t.end();
});

t.test('arguments taken apart', (t) => {
  const plain = (arg: string) => {
    const { dir, name, kind } = parseArgument(arg, false);
    return [dir, name, kind];
  };
  t.same(plain('a/b'), ['a', 'b', 0]);
  t.same(plain('/'), ['/', '.', 2]);
  t.same(plain('/x'), ['/', 'x', 0]);
  t.same(plain(''), [null, '.', 2]);
  t.same(plain('..'), ['..', '.', 2]);
  t.same(plain('a/..'), ['a/..', '.', 2]);
  t.same(plain('a/.'), ['a', '.', 2]);
  t.same(plain('a//b'), ['a/', 'b', 0]);
  t.same(plain('a.'), [null, 'a.', 0]);
  t.same(plain('...'), [null, '...', 0]);
  const relative = (arg: string) => {
    const { dir, name, kind, impliedDot } = parseArgument(arg, true);
    return [dir, name, kind, impliedDot];
  };
  t.same(relative('a//b/./c/'), ['a/b', 'c', 1, false]);
  t.same(relative('/./x'), ['/', 'x', 0, false]);
  t.same(relative('a/./'), ['a', '.', 2, false]);
  t.same(relative('/'), [null, '/.', 2, false]);
  t.same(relative('./a/b'), [null, 'a/b', 0, true]);
  t.same(relative('.'), [null, '.', 2, false]);
  t.same(relative('/a/b/.'), [null, '/a/b', 1, false]);
  const unsafe = (target: string, link: string) => isUnsafeLink(target, link);
  t.same(
    ['/x', '', '../x', '../../x', 'a/../b', '../..', './../x'].map((target) => unsafe(target, 'd/l')),
    [true, true, false, true, true, true, true],
  );
  t.same(
    ['a', '..', 'a/b'].map((target) => unsafe(target, 'l')),
    [false, true, false],
  );
  t.equal(unsafe('..', 'd/l'), false);
  t.end();
});
