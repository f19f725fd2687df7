import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FileStat, fstatInto, lstatInto, statInto } from '../../src/files/stat.js';
import { hasLibc, libcLoaded, mknod, utimensat } from '../../src/libc/libc.js';
import { tempDir } from '../lib/temp.js';

/** All fields, for comparison. */
function show(st: FileStat): Record<string, unknown> {
  // Following a link changes the time of its last use.
  return { ...st, atime: 0, atimeNsec: 0 };
}

t.test('both ways of asking say the same', (t) => {
  const dir = tempDir(t);
  const at = (name: string) => Buffer.from(join(dir, name));
  writeFileSync(at('f'), 'hello', { mode: 0o640 });
  mkdirSync(at('d'));
  symlinkSync('f', at('l'));
  symlinkSync('none', at('dangling'));
  utimesSync(at('f'), 1, 1_700_000_000.5);
  spawnSync('touch', ['-d', '1960-01-01 00:00:00.25 UTC', join(dir, 'd')]);
  const names = ['f', 'd', 'l', 'dangling', 'missing', 'f/below', ''];
  const paths = [
    ...names.map(at),
    Buffer.from('/dev/null'),
    Buffer.from('/dev/zero'),
    Buffer.from('/proc/self/status'),
  ];
  const ask = () => {
    const out: unknown[] = [];
    for (const path of paths) {
      for (const call of [lstatInto, statInto]) {
        const st = new FileStat();
        const errno = call(path, st);
        out.push([errno, errno === 0 && !path.includes('proc') ? show(st) : null]);
      }
    }
    const st = new FileStat();
    const fd = openSync(at('f'), 'r');
    out.push([fstatInto(fd, st), show(st)]);
    closeSync(fd);
    return out;
  };
  t.notOk(libcLoaded(), 'the first answers are Node’s');
  const first = ask();
  t.ok(hasLibc(), 'the others are the C library’s');
  t.same(ask(), first);

  const st = new FileStat();
  t.equal(lstatInto(at('d'), st), 0);
  t.match(st, { exists: true, isDir: true, isRegular: false, mtime: -315619200, nsec: 250_000_000 });
  t.equal(st.dev, statSync(at('d')).dev);
  t.equal(st.ino, statSync(at('d')).ino);
  t.equal(lstatInto(at('missing'), st), 2);
  t.equal(st.exists, false);
  t.equal(statInto(at('dangling'), st), 2);
  t.equal(lstatInto(at('x'.repeat(300)), st), 36, 'a name that is too long');
  t.equal(lstatInto(Buffer.from(`/${'x/'.repeat(3000)}`), st), 36);
  t.equal(lstatInto(Buffer.from('/tmp/a\0b'), st), 22, 'a NUL byte is refused');
  t.equal(fstatInto(987654, st), 9);
  t.end();
});

t.test('device numbers and nanoseconds', { skip: process.getuid?.() === 0 ? false : 'needs root' }, (t) => {
  const dir = tempDir(t);
  const dev = Buffer.from(join(dir, 'dev'));
  mknod(dev, 0o060600, 4095, 0xfffff);
  utimensat(dev, 3, 4, -5, 999_999_999, true);
  const st = new FileStat();
  t.equal(lstatInto(dev, st), 0);
  t.match(st, { rdevMajor: 4095, rdevMinor: 0xfffff, mtime: -5, nsec: 999_999_999, atime: 3, atimeNsec: 4 });
  t.ok(st.isDevice);
  const copy = new FileStat();
  copy.copyFrom(st);
  t.same({ ...copy }, { ...st });
  t.end();
});
