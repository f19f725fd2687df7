import { spawnSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { errnoName, errnoOf, systemError } from '../../src/libc/errno.js';
import {
  copyFileRange,
  fallocate,
  futimens,
  hasLibc,
  lockRange,
  lookUp,
  mknod,
  punchHole,
  renameRaw,
  statxRaw,
  statxWords,
  utimensat,
} from '../../src/libc/libc.js';
import { getXattr, removeXattr, setXattr } from '../../src/libc/xattrs.js';
import { tempDir } from '../lib/temp.js';

const path = (dir: string, name: string) => Buffer.from(join(dir, name));
const isRoot = process.getuid?.() === 0;

t.ok(hasLibc(), 'the C library can be reached here');

t.test('errors look like those of Node', (t) => {
  const error = systemError(2, 'open');
  t.match(error, { code: 'ENOENT', errno: -2, syscall: 'open' });
  t.equal(errnoOf(error), 2);
  t.equal(errnoName(11), 'EAGAIN');
  t.equal(errnoName(95), 'EOPNOTSUPP');
  t.equal(errnoOf(new Error('x')), 0);
  try {
    lstatSync(Buffer.from('a\0b'));
    t.fail('Node takes a NUL byte');
  } catch (e) {
    t.equal(errnoOf(e), 22);
  }
  t.throws(() => utimensat(Buffer.from('/nowhere/at/all'), 1, 0, 1, 0, true), { code: 'ENOENT', errno: -2 });
  t.throws(() => mknod(Buffer.from('/tmp/a\0b'), 0o010600, 0, 0), { code: 'EINVAL' });
  t.end();
});

t.test('paths through held directories mean what the kernel takes them for', (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'd'));
  writeFileSync(join(dir, 'f'), 'outside');
  writeFileSync(join(dir, 'd', 'f'), 'in');
  const fd = openSync(join(dir, 'd'), 'r');
  t.teardown(() => closeSync(fd));
  const held = `/proc/self/fd/${fd}`;
  const names = ['/f', '/../f', '/./f', `/${dir}/f`, '/', '', '/none', '/f/x', 'x/f', '/d', '/f\0'];
  for (const path of [
    ...names.map((name) => held + name),
    '/proc/self/fd/',
    `/proc/self/fd//${fd}/f`,
    '/proc/self/fd',
  ]) {
    let size: number | string;
    try {
      size = lstatSync(Buffer.from(path)).size;
    } catch (error) {
      size = errnoOf(error);
    }
    const errno = statxRaw(-1, Buffer.from(path), false);
    t.equal(errno !== 0 ? errno : statxWords[10], size, JSON.stringify(path.replace(dir, 'DIR')));
  }
  renameRaw(Buffer.from(`${held}/f`), path(dir, 'moved'));
  t.equal(readFileSync(join(dir, 'moved'), 'utf8'), 'in');
  renameRaw(path(dir, 'moved'), Buffer.from(`${held}/back`));
  renameRaw(Buffer.from(`${held}/back`), Buffer.from(`${held}/again`));
  t.equal(readFileSync(join(dir, 'd', 'again'), 'utf8'), 'in');
  t.throws(() => renameRaw(Buffer.from(`${held}/none`), Buffer.from(`${held}/x`)), {
    code: 'ENOENT',
    syscall: 'rename',
  });
  t.throws(() => renameRaw(Buffer.from(`${held}/a\0b`), Buffer.from(`${held}/x`)), { code: 'EINVAL' });
  t.end();
});

t.test('times to the nanosecond, before 1970 too, of links and open files', (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'f'), 'x');
  symlinkSync('f', join(dir, 'l'));
  utimensat(path(dir, 'f'), 5, 6, 1_700_000_000, 123_456_789, false);
  const st = lstatSync(join(dir, 'f'), { bigint: true });
  t.equal(st.mtimeNs, 1_700_000_000_123_456_789n);
  t.equal(st.atimeNs, 5_000_000_006n);
  utimensat(path(dir, 'l'), null, 0, -3, 7, true);
  t.equal(lstatSync(join(dir, 'l'), { bigint: true }).mtimeNs, -2_999_999_993n);
  t.equal(lstatSync(join(dir, 'f'), { bigint: true }).mtimeNs, 1_700_000_000_123_456_789n, 'the target stays');
  const fd = openSync(join(dir, 'f'), 'r');
  futimens(fd, null, 0, 9, 1);
  t.equal(fstatSync(fd, { bigint: true }).mtimeNs, 9_000_000_001n);
  t.equal(fstatSync(fd, { bigint: true }).atimeNs, 5_000_000_006n, 'the other time stays');
  closeSync(fd);
  t.end();
});

t.test('special files', { skip: isRoot ? false : 'devices need root' }, (t) => {
  const dir = tempDir(t);
  mknod(path(dir, 'fifo'), 0o010600, 0, 0);
  mknod(path(dir, 'sock'), 0o140600, 0, 0);
  mknod(path(dir, 'dev'), 0o020600, 259, 74565);
  t.ok(lstatSync(join(dir, 'fifo')).isFIFO());
  t.ok(lstatSync(join(dir, 'sock')).isSocket());
  const shown = spawnSync('stat', ['-c', '%F %t %T', join(dir, 'dev')], { encoding: 'latin1' }).stdout.trim();
  t.equal(shown, `character special file ${(259).toString(16)} ${(74565).toString(16)}`);
  t.throws(() => mknod(path(dir, 'fifo'), 0o010600, 0, 0), { code: 'EEXIST' });
  t.end();
});

t.test('room on disk', (t) => {
  const dir = tempDir(t);
  const fd = openSync(join(dir, 'f'), 'w+');
  fallocate(fd, 0, 1 << 20);
  t.equal(fstatSync(fd).size, 0, 'the length stays');
  t.ok(fstatSync(fd).blocks * 512 >= 1 << 20);
  ftruncateSync(fd, 1 << 20);
  punchHole(fd, 0, 1 << 20);
  t.equal(fstatSync(fd).blocks, 0);
  closeSync(fd);
  writeFileSync(join(dir, 'a'), 'hello');
  const from = openSync(join(dir, 'a'), 'r');
  const to = openSync(join(dir, 'b'), 'w');
  t.equal(copyFileRange(from, to, 100), 5);
  t.equal(copyFileRange(from, to, 100), 0);
  closeSync(from);
  closeSync(to);
  t.equal(readFileSync(join(dir, 'b'), 'latin1'), 'hello');
  t.end();
});

t.test('a lock keeps another process out', (t) => {
  const dir = tempDir(t);
  const fd = openSync(join(dir, 'lock'), 'w+');
  t.ok(lockRange(fd, 4, 4));
  const library = new URL('../../src/libc/libc.js', import.meta.url).href;
  const script = `import {openSync} from 'node:fs'; import {lockRange} from '${library}';
    const fd = openSync(process.argv[1], 'r+'); console.log(lockRange(fd, 0, 4), lockRange(fd, 4, 4));`;
  const other = spawnSync(process.execPath, ['--input-type=module', '-e', script, join(dir, 'lock')], {
    encoding: 'latin1',
    env: { PATH: process.env.PATH },
  });
  t.equal(other.stdout.trim(), 'true false', other.stderr);
  closeSync(fd);
  t.end();
});

t.test('extended attributes', (t) => {
  const dir = tempDir(t);
  const file = path(dir, 'f');
  writeFileSync(file, '');
  try {
    setXattr(file, 'user.a', Buffer.from('one\0two'));
  } catch (error) {
    if (errnoOf(error) !== 95) throw error;
    t.pass('this file system has no extended attributes');
    t.end();
    return;
  }
  t.equal(getXattr(file, 'user.a')?.toString('latin1'), 'one\0two');
  t.equal(getXattr(file, 'user.b'), null);
  removeXattr(file, 'user.a');
  removeXattr(file, 'user.a');
  t.equal(getXattr(file, 'user.a'), null);
  t.end();
});

t.test('accounts', (t) => {
  t.match(lookUp('getpwuid_r', 0), { name: 'root', id: 0, gid: 0 });
  t.match(lookUp('getpwnam_r', 'nobody'), { name: 'nobody', id: 65534 });
  t.equal(lookUp('getgrgid_r', 0)?.name, 'root');
  t.equal(
    lookUp('getgrnam_r', 'daemon')?.id,
    Number(/^daemon:[^:]*:(\d+)/m.exec(readFileSync('/etc/group', 'latin1'))?.[1]),
  );
  t.equal(lookUp('getpwuid_r', 4_000_000_000), null);
  t.equal(lookUp('getgrnam_r', 'no such group'), null);
  t.end();
});

t.test('chroot in a process of its own', { skip: isRoot ? false : 'needs root' }, (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'inside'), 'x');
  const library = new URL('../../src/libc/libc.js', import.meta.url).href;
  const script = `import {readdirSync} from 'node:fs'; import {chroot} from '${library}';
    chroot(Buffer.from(process.argv[1])); process.chdir('/'); console.log(readdirSync('/').join());
    try { chroot(Buffer.from('/none')) } catch (e) { console.log(e.code, e.errno, e.syscall) }`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script, dir], {
    encoding: 'latin1',
    env: { PATH: process.env.PATH },
  });
  t.equal(child.stdout, 'inside\nENOENT -2 chroot\n', child.stderr);
  t.end();
});
