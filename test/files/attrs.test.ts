import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FileList } from '../../protocol/flist/list.js';
import type { Options } from '../../protocol/options.js';
import { AttributeSetter, Changed } from '../../src/files/attrs.js';
import { parseChmod } from '../../src/files/chmod.js';
import { IdMap } from '../../src/files/ids.js';
import { destMode, needsOwnerAccess } from '../../src/files/modes.js';
import { chmodNoFollow } from '../../src/files/set.js';
import { FileStat, lstatInto } from '../../src/files/stat.js';
import { sameTime } from '../../src/files/times.js';
import { mknod, utimensat } from '../../src/libc/libc.js';
import { cleanEnv } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const isRoot = process.getuid?.() === 0;
const needsRoot = { skip: isRoot ? (false as const) : 'giving files away needs root' };

/** Only what the setter reads. */
function options(over: Partial<Options> = {}): Options {
  const base = { perms: true, owner: true, group: true, times: true, atimes: 0, modifyWindow: 0, numericIds: true };
  return { ...base, omitDirTimes: false, omitLinkTimes: false, usermap: '', groupmap: '', ...over } as Options;
}

function setter(o: Options, problems: string[], root = isRoot, moduleChmod = '') {
  const ids = new IdMap(o, root, { users: new Map(), groups: new Map(), id0Names: true });
  const reporter = {
    fullName: (name: string) => `"${name}"`,
    problem: (text: string, error: unknown) => problems.push(`${text}: ${(error as NodeJS.ErrnoException).code}`),
    failure: (text: string) => problems.push(text),
    warning: (text: string) => problems.push(text),
    info: (text: string) => problems.push(text),
  };
  const rules = moduleChmod === '' ? [] : parseChmod(moduleChmod, 0o22);
  return new AttributeSetter(o, ids, reporter, { isRoot: root, moduleChmod: rules });
}

/** A list with one row that looks like the file at `path`. */
function listOf(path: string, name = 'x'): FileList {
  const st = new FileStat();
  lstatInto(Buffer.from(path), st);
  const list = new FileList();
  const row = list.addRow();
  list.setName(row, Buffer.from(name), 0, name.length);
  list.setMode(row, st.mode);
  list.setMtime(row, st.mtime);
  list.setNsec(row, st.nsec);
  list.setUid(row, st.uid);
  list.setGid(row, st.gid);
  list.setAtime(row, st.atime);
  return list;
}

const look = (path: string) => {
  const s = lstatSync(path, { bigint: true });
  return { mode: s.mode.toString(8), uid: s.uid, gid: s.gid, mtime: s.mtimeNs };
};

t.test('a file, a directory, a link and a fifo get all attributes', needsRoot, (t) => {
  const dir = tempDir(t);
  const make = (side: string) => {
    mkdirSync(join(dir, side));
    writeFileSync(join(dir, side, 'file'), '');
    mkdirSync(join(dir, side, 'dir'));
    symlinkSync('t', join(dir, side, 'link'));
    mknod(Buffer.from(join(dir, side, 'fifo')), 0o010600, 0, 0);
  };
  make('a');
  make('b');
  for (const [i, name] of readdirSync(join(dir, 'a')).entries()) {
    const from = join(dir, 'a', name);
    if (name !== 'link') chmodSync(from, 0o4711 + i);
    spawnSync('chown', ['-h', `${1000 + i}:${2000 + i}`, from]);
    if (name !== 'link') chmodSync(from, 0o6711);
    utimensat(Buffer.from(from), 1, 2, 1_600_000_000 + i, 123_456_789 + i, true);
  }
  for (const name of ['file', 'dir', 'link', 'fifo']) {
    for (const byFd of name === 'file' ? [true, false] : [false]) {
      const problems: string[] = [];
      const to = join(dir, 'b', name);
      if (name === 'file') writeFileSync(to, 'again');
      const list = listOf(join(dir, 'a', name));
      const st = new FileStat();
      lstatInto(Buffer.from(to), st);
      const fd = byFd ? openSync(to, 'r+') : -1;
      const attrs = setter(options(), problems);
      t.ok(attrs.apply(Buffer.from(to), list, 0, st, { isNew: true, exactTimes: true, fd }));
      if (fd >= 0) closeSync(fd);
      t.same(look(to), look(join(dir, 'a', name)), name);
      lstatInto(Buffer.from(to), st);
      t.notOk(attrs.apply(Buffer.from(to), list, 0, st, { isNew: false }), 'nothing is left to do');
      t.strictSame(problems, []);
    }
  }
  t.end();
});

t.test('set-id bits survive a change of owner', needsRoot, (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'a'), '');
  writeFileSync(join(dir, 'b'), '');
  for (const name of ['a', 'b']) chmodSync(join(dir, name), 0o6755);
  chownSync(join(dir, 'a'), 77, 78);
  chmodSync(join(dir, 'a'), 0o6755);
  const st = new FileStat();
  lstatInto(Buffer.from(join(dir, 'b')), st);
  const attrs = setter(options(), []);
  attrs.apply(Buffer.from(join(dir, 'b')), listOf(join(dir, 'a')), 0, st, { isNew: false });
  t.equal(lstatSync(join(dir, 'b')).mode & 0o7777, 0o6755);
  t.equal(attrs.changed & (Changed.OWNER | Changed.GROUP | Changed.MODE), 1 | 2 | 16);
  t.end();
});

t.test('options leave attributes alone', needsRoot, (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'a'));
  chownSync(join(dir, 'a'), 5, 6);
  chmodSync(join(dir, 'a'), 0o700);
  utimensat(Buffer.from(join(dir, 'a')), 1_000, 0, 2_000, 5, true);
  const cases: [Partial<Options>, Record<string, unknown>][] = [
    [{ owner: false }, { uid: 0n, gid: 6n }],
    [{ group: false }, { uid: 5n, gid: 0n }],
    [{ omitDirTimes: true }, { mtime: 9_000_000_000n }],
    [{ times: false }, { mtime: 9_000_000_000n }],
    [{ modifyWindow: 10_000 }, { mtime: 9_000_000_000n }],
    [{}, { uid: 5n, gid: 6n, mtime: 2_000_000_000_005n, mode: '40700' }],
  ];
  for (const [over, expected] of cases) {
    mkdirSync(join(dir, 'b'));
    utimensat(Buffer.from(join(dir, 'b')), 9, 0, 9, 0, true);
    const st = new FileStat();
    lstatInto(Buffer.from(join(dir, 'b')), st);
    setter(options(over), []).apply(Buffer.from(join(dir, 'b')), listOf(join(dir, 'a')), 0, st, { isNew: false });
    t.match(look(join(dir, 'b')), expected, JSON.stringify(over));
    rmSync(join(dir, 'b'), { recursive: true });
  }
  t.end();
});

t.test('access times, a module’s chmod, and an inherited set-group-id bit', (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'a'), '');
  writeFileSync(join(dir, 'b'), '');
  utimensat(Buffer.from(join(dir, 'a')), 1_234, 0, 2_000, 7, true);
  const st = new FileStat();
  lstatInto(Buffer.from(join(dir, 'b')), st);
  const o = options({ atimes: 1 });
  setter(o, [], isRoot, 'Fg+w').apply(Buffer.from(join(dir, 'b')), listOf(join(dir, 'a')), 0, st, {
    isNew: true,
  });
  const after = lstatSync(join(dir, 'b'), { bigint: true });
  t.equal(after.atimeNs, 1_234_000_000_000n);
  t.equal(after.mtimeNs, 2_000_000_000_007n);
  t.equal(Number(after.mode) & 0o020, 0o020);

  mkdirSync(join(dir, 'g'));
  chmodSync(join(dir, 'g'), 0o2755);
  lstatInto(Buffer.from(join(dir, 'g')), st);
  const list = listOf(dir);
  setter(options({ perms: false }), []).apply(Buffer.from(join(dir, 'g')), list, 0, st, { isNew: true });
  t.equal(lstatSync(join(dir, 'g')).mode & 0o7777, 0o2755, 'the bit that the parent directory gave stays');
  t.end();
});

t.test('problems are reported, with the name', (t) => {
  const problems: string[] = [];
  const list = listOf('/etc', 'dir/name');
  const st = new FileStat();
  lstatInto(Buffer.from('/etc/hostname'), st);
  list.setMtime(0, 1);
  setter(options(), problems).apply(Buffer.from('/nowhere/name'), list, 0, st, { isNew: false });
  t.strictSame(problems, ['failed to set times on "dir/name": ENOENT']);
  t.end();
});

t.test('a link in the place of a file is not followed', (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'victim'), '', { mode: 0o600 });
  const before = look(join(dir, 'victim'));
  symlinkSync('victim', join(dir, 'f'));
  t.throws(() => chmodNoFollow(Buffer.from(join(dir, 'f')), 0o777));
  const st = new FileStat();
  lstatInto(Buffer.from(join(dir, 'victim')), st);
  const list = listOf(dir);
  list.setMode(0, 0o100777);
  list.setMtime(0, 5);
  const problems: string[] = [];
  setter(options(), problems).apply(Buffer.from(join(dir, 'f')), list, 0, st, { isNew: false });
  t.same(look(join(dir, 'victim')), before);
  t.equal(problems.length, 1);
  t.end();
});

t.test('modes without -p are those of rsync', (t) => {
  const dir = tempDir(t);
  const modes = [0o644, 0o755, 0o4711, 0o600, 0o1777, 0o2750, 0o444];
  for (const executability of [false, true]) {
    for (const side of ['src', 'new', 'old']) {
      rmSync(join(dir, side), { recursive: true, force: true });
      mkdirSync(join(dir, side));
    }
    for (const s of modes) {
      writeFileSync(join(dir, `src/new${s}`), 'new');
      chmodSync(join(dir, `src/new${s}`), s);
      for (const d of modes) {
        writeFileSync(join(dir, `src/${s}-${d}`), 'new content');
        chmodSync(join(dir, `src/${s}-${d}`), s);
        writeFileSync(join(dir, `old/${s}-${d}`), 'old');
        chmodSync(join(dir, `old/${s}-${d}`), d);
      }
    }
    const args = ['-r', ...(executability ? ['-E'] : []), `${dir}/src/`, `${dir}/old/`];
    t.equal(spawnSync('rsync', args, { env: cleanEnv() }).status, 0);
    const o = { executability };
    for (const s of modes) {
      t.equal(
        destMode(0o100000 | s, null, true, o, 0o777 & ~process.umask()),
        lstatSync(join(dir, `old/new${s}`)).mode,
        `new ${s.toString(8)}`,
      );
      for (const d of modes) {
        t.equal(
          destMode(0o100000 | s, 0o100000 | d, false, o, 0o777 & ~process.umask()),
          lstatSync(join(dir, `old/${s}-${d}`)).mode,
          `${s.toString(8)} over ${d.toString(8)}, -E ${executability}`,
        );
      }
    }
  }
  t.end();
});

t.test('small questions', (t) => {
  t.ok(sameTime(5, 1, 5, 2, 0), 'without a window nanoseconds say nothing');
  t.notOk(sameTime(5, 1, 5, 2, -1));
  t.ok(sameTime(5, 1, 7, 0, 2));
  t.notOk(sameTime(5, 0, 8, 0, 2));
  t.ok(needsOwnerAccess(0o040555, false));
  t.notOk(needsOwnerAccess(0o040555, true));
  t.notOk(needsOwnerAccess(0o100444, false));
  t.notOk(needsOwnerAccess(0o040700, false));
  t.end();
});

/** Runs a script as nobody, with the compiled modules. */
function asNobody(script: string, args: string[]) {
  return spawnSync(process.execPath, ['--input-type=module', '-e', script, ...args], {
    encoding: 'latin1',
    env: { PATH: process.env.PATH },
    uid: 65534,
    gid: 65534,
  });
}

t.test('without root: owners stay, foreign files complain', needsRoot, (t) => {
  const dir = tempDir(t);
  chmodSync(dir, 0o777);
  writeFileSync(join(dir, 'foreign'), '', { mode: 0o644 });
  const url = (path: string) => new URL(`../../${path}`, import.meta.url).href;
  const script = `
    import { FileList } from '${url('protocol/flist/list.js')}';
    import { AttributeSetter } from '${url('src/files/attrs.js')}';
    import { IdMap } from '${url('src/files/ids.js')}';
    import { FileStat, lstatInto } from '${url('src/files/stat.js')}';
    import { writeFileSync } from 'node:fs';
    const o = { perms: true, owner: true, group: true, times: true, atimes: 0, modifyWindow: 0, numericIds: true, usermap: '', groupmap: '' };
    const reporter = { fullName: (n) => n, problem: (text, e) => console.log(text, e.code), failure: console.log };
    const attrs = new AttributeSetter(o, new IdMap(o, false, { users: new Map(), groups: new Map(), id0Names: true }), reporter, { isRoot: false });
    const list = new FileList(); list.addRow(); list.setName(0, Buffer.from('n'), 0, 1);
    list.setMode(0, 0o100751); list.setMtime(0, 1e9); list.setNsec(0, 42); list.setUid(0, 1); list.setGid(0, 1);
    const dir = process.argv[1], st = new FileStat();
    for (const name of ['own', 'foreign']) {
      const path = Buffer.from(dir + '/' + name);
      if (name === 'own') writeFileSync(path, '');
      lstatInto(path, st);
      console.log(name, attrs.apply(path, list, 0, st, { isNew: true }), attrs.changed);
    }`;
  const child = asNobody(script, [dir]);
  t.equal(child.stdout, 'own true 20\nfailed to set times on n EPERM\nforeign false 0\n', child.stderr);
  t.match(look(join(dir, 'own')), { uid: 65534n, gid: 65534n, mtime: 1_000_000_000_000_000_042n, mode: '100751' });
  t.end();
});
