import { execFileSync } from 'node:child_process';
import {
  type BigIntStats,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Compat, S_IFDIR, S_IFLNK, S_IFMT } from '../../protocol/constants.js';
import { EntryEncoder } from '../../protocol/flist/encode.js';
import { EntryFlag } from '../../protocol/flist/list.js';
import { Segments } from '../../protocol/flist/segments.js';
import { isDevice, type ListWire } from '../../protocol/flist/wire.js';
import { run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { collector, type DecodedSession, plainWire, recorded, recordingShell, SessionDecoder } from './capture.js';

const isRoot = process.getuid?.() === 0;

function makeTree(root: string): void {
  const dir = (name: string) => mkdirSync(join(root, name), { recursive: true });
  const file = (name: string, text: string, time: number) => {
    writeFileSync(join(root, name), text);
    utimesSync(join(root, name), time, time);
  };
  for (const name of ['a', 'a.b', 'a/deep/er/est', 'b', 'empty', `long-${'x'.repeat(240)}`]) dir(name);
  for (let i = 0; i < 40; i++) file(`b/file${i * 7919}`, 'x'.repeat(i), 1_600_000_000 + i * 0.25);
  file('a/x', 'one', 0);
  file('a/deep/er/est/y', 'two', 2 ** 31 - 1);
  file('a/deep/er/z', '', 1);
  file('a.b/x', 'one', 1_234_567_890);
  file(`long-${'x'.repeat(240)}/${'y'.repeat(250)}`, 'long', 5);
  file(`long-${'x'.repeat(240)}/${'y'.repeat(249)}z`, 'long', 5);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/b/`), Buffer.from([0xff, 0xfe, 0x20, 0x0a])]), 'bytes');
  file('big', '', 3);
  truncateSync(join(root, 'big'), 5 * 2 ** 32 + 17);
  symlinkSync('x', join(root, 'a/link'));
  symlinkSync('/nowhere/'.repeat(40), join(root, 'b/dangling'));
  linkSync(join(root, 'a/x'), join(root, 'a/x-again'));
  linkSync(join(root, 'a/x'), join(root, 'b/x-again'));
  linkSync(join(root, 'b/file0'), join(root, 'a/deep/other'));
  linkSync(join(root, 'b/file0'), join(root, 'a/deep/other2'));
  execFileSync('mkfifo', [join(root, 'a/fifo')]);
  if (!isRoot) return;
  for (const [name, major, minor] of [
    ['c1', 1, 3],
    ['c2', 1, 5],
    ['c3', 5, 300],
    ['c4', 259, 70000],
  ] as const) {
    execFileSync('mknod', [join(root, name), name === 'c2' ? 'b' : 'c', `${major}`, `${minor}`]);
  }
  linkSync(join(root, 'c1'), join(root, 'a/c1-again'));
  let id = 0;
  for (const name of readdirSync(join(root, 'b'), { encoding: 'latin1' })) {
    lchownSync(Buffer.from(`${root}/b/${name}`, 'latin1'), [0, 1, 12345][id % 3], id % 4);
    id++;
  }
}

interface Expected {
  path: string;
  st: BigIntStats;
  target: string;
}

function walk(root: string, path: string, out: Map<string, Expected>): void {
  const whole = Buffer.from(`${root}/${path}`, 'latin1');
  const st = lstatSync(whole, { bigint: true });
  const target = st.isSymbolicLink() ? readlinkSync(whole, { encoding: 'latin1' }) : '';
  out.set(path === '' ? '.' : path, { path, st, target });
  if (!st.isDirectory()) return;
  for (const name of readdirSync(whole, { encoding: 'latin1' }))
    walk(root, path === '' ? name : `${path}/${name}`, out);
}

function device(rdev: bigint): { major: number; minor: number } {
  const n = Number(rdev);
  return { major: (n >>> 8) & 0xfff, minor: (n & 0xff) | (Math.floor(n / 0x1000) & 0xfff00) };
}

/** Every entry is what lstat says, nothing is missing, and the hard-link groups are those of the inodes. */
function checkList(t: Test, session: DecodedSession, tree: Map<string, Expected>, wire: ListWire): void {
  const { list } = session;
  const left = new Set(tree.keys());
  const groups = new Map<number, bigint>();
  const differences: string[] = [];
  const differs = (path: string, what: string, got: unknown, wanted: unknown) => {
    if (got !== wanted) differences.push(`${path}: ${what} ${got} instead of ${wanted}`);
  };
  for (let row = 0; row < list.count; row++) {
    const path = list.path(row);
    left.delete(path);
    const expected = tree.get(path);
    if (expected === undefined) {
      differences.push(`${path} is not in the tree`);
      continue;
    }
    const { st, target } = expected;
    const type = list.mode(row) & S_IFMT;
    const seconds = Number(st.mtimeNs / 1_000_000_000n);
    differs(path, 'mode', list.mode(row), Number(st.mode));
    if (!isDevice(list.mode(row))) differs(path, 'size', list.size(row), Number(st.size));
    differs(path, 'mtime', list.mtime(row), seconds);
    if (wire.protocol >= 31) differs(path, 'nsec', list.nsec(row), Number(st.mtimeNs % 1_000_000_000n));
    if (wire.owner) differs(path, 'uid', list.uid(row), Number(st.uid));
    if (wire.group) differs(path, 'gid', list.gid(row), Number(st.gid));
    if (type === S_IFLNK) differs(path, 'target', list.target(row).toString('latin1'), target);
    if (isDevice(list.mode(row))) {
      const { major, minor } = device(st.rdev);
      differs(path, 'major', list.major(row), major);
      differs(path, 'minor', list.minor(row), minor);
    }
    const linked = wire.hardLinks && st.nlink > 1n && type !== S_IFDIR && (wire.protocol >= 28 || st.isFile());
    differs(path, 'linked', (list.flags(row) & EntryFlag.HLINKED) !== 0, linked);
    if (!linked) continue;
    differs(path, 'group', groups.get(list.group(row)) ?? st.ino, st.ino);
    groups.set(list.group(row), st.ino);
  }
  t.same(differences, []);
  t.same([...left], [], 'every file is in the list');
  const inodes = new Set(groups.values());
  t.equal(inodes.size, groups.size, 'one group for each inode');
}

/** The first list as EntryEncoder writes it from what was decoded. */
function encodeAgain(session: DecodedSession, wire: ListWire, tree: Map<string, Expected>): Buffer {
  const { list, decoder } = session;
  const first = list.segments.at(0);
  // An encoder numbers a list before it is one of the segments.
  Object.assign(list, { segments: new Segments() });
  const { writer, taken } = collector();
  const encoder = new EntryEncoder(wire, list, {
    userName: (id) => decoder.users.get(id) ?? null,
    groupName: (id) => decoder.groups.get(id) ?? null,
  });
  const stats = (row: number) => tree.get(list.path(row))!.st;
  const rows = Array.from({ length: first.count }, (_, i) => first.start + i);
  encoder.setDevIno(
    Float64Array.from(rows, (row) => Number(stats(row).dev)),
    Float64Array.from(rows, (row) => Number(stats(row).ino)),
  );
  for (const row of rows) {
    // Below protocol 30 a link whose others are elsewhere is still marked.
    if (wire.hardLinks && stats(row).nlink > 1n && !list.isDir(row)) list.addFlags(row, EntryFlag.HLINKED);
    encoder.encode(writer, row);
  }
  encoder.end(writer, 0);
  return taken();
}

t.test('lists of the real rsync, read to the last byte', async (t) => {
  const dir = tempDir(t);
  const root = join(dir, 'src');
  mkdirSync(root);
  makeTree(root);
  const tree = new Map<string, Expected>();
  walk(root, '', tree);
  const shell = recordingShell(dir);
  const cases: { protocol: number; options: string[]; change: Partial<ListWire> }[] = [];
  for (const protocol of [27, 28, 29, 30, 31, 32]) {
    const incremental = protocol >= 30;
    cases.push({ protocol, options: ['-aH'], change: { incremental } });
    cases.push({ protocol, options: ['-rtlD', '--no-i-r'], change: { owner: false, group: false, hardLinks: false } });
  }
  cases.push({ protocol: 32, options: ['-aH', '--no-i-r'], change: {} });
  cases.push({ protocol: 30, options: ['-aH', '--numeric-ids', '--no-i-r'], change: { numericIds: true } });
  cases.push({ protocol: 32, options: ['-aHU'], change: { incremental: true, atimes: true } });
  cases.push({ protocol: 29, options: ['-aHU'], change: { atimes: true } });
  for (const { protocol, options, change } of cases) {
    for (const push of [false, true]) {
      await t.test(`protocol ${protocol} ${options.join(' ')} ${push ? 'push' : 'pull'}`, async (t) => {
        const [from, to] = push ? [`${root}/`, `h:${dir}/dst/`] : [`h:${root}/`, `${dir}/dst/`];
        const args = ['-n', ...options, `--protocol=${protocol}`, '-e', shell, from, to];
        const result = await run('rsync', args, { timeout: 60_000 });
        t.equal(result.code, 0, result.stderr);
        const { c2s, s2c } = recorded(dir);
        const flags = new SessionDecoder(s2c).handshake(protocol, true, false);
        const varintFlags = (flags & Compat.VARINT_FLIST_FLAGS) !== 0;
        const wire = plainWire(protocol, { ...change, varintFlags });
        t.equal((flags & Compat.INC_RECURSE) !== 0, wire.incremental);
        for (const chunk of [1 << 20, 1, 97]) {
          const decoder = new SessionDecoder(push ? c2s : s2c, chunk);
          decoder.handshake(protocol, !push, varintFlags);
          if (!push || protocol >= 30) decoder.frames();
          const session = decoder.sender(wire, !push, flags);
          t.equal(session.rest, 0, 'nothing is left over');
          checkList(t, session, tree, wire);
          if (!push) t.ok(session.stats && session.stats.totalSize > 5 * 2 ** 32, 'statistics');
          if (protocol >= 29) {
            const asked = session.items.filter((item) => item.iflags & 0x8000).length;
            t.ok(asked > 40, 'requests are echoed');
          }
          const again = encodeAgain(session, wire, tree);
          const replay = new SessionDecoder(push ? c2s : s2c);
          replay.handshake(protocol, !push, varintFlags);
          if (!push || protocol >= 30) replay.frames();
          t.equal(again.toString('hex'), replay.raw(again.length).toString('hex'), 'encoded again');
          if (wire.owner && !wire.numericIds && isRoot) t.equal(session.decoder.users.get(1), 'daemon');
        }
      });
    }
  }
});

t.test(
  'a repeated hard link of a device counts as the last device number',
  { skip: !isRoot && 'needs root' },
  async (t) => {
    const dir = tempDir(t);
    for (const [name, major] of [
      ['one', 1],
      ['five', 5],
      ['another', 1],
    ] as const) {
      execFileSync('mknod', [join(dir, name), 'c', `${major}`, '7']);
    }
    linkSync(join(dir, 'one'), join(dir, 'one-again'));
    const shell = recordingShell(dir);
    const names = ['one', 'five', 'one-again', 'another'].map((name) => join(dir, name));
    const result = await run('rsync', ['-naH', '--no-i-r', '-e', shell, ...names, `h:${dir}/dst/`]);
    t.equal(result.code, 0, result.stderr);
    const decoder = new SessionDecoder(recorded(dir).c2s);
    decoder.handshake(32, false, true);
    decoder.frames();
    const { list, rest } = decoder.sender(plainWire(32), false, 0);
    t.equal(rest, 0);
    const majors = new Map<string, number>();
    for (let row = 0; row < list.count; row++) majors.set(list.baseName(row), list.major(row));
    t.same(Object.fromEntries(majors), { one: 1, five: 5, 'one-again': 1, another: 1 });
  },
);
