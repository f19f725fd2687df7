import {
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Root } from '../../src/files/root.js';
import { isForeignLink } from '../../src/libc/walk.js';
import { tempDir } from '../lib/temp.js';

const name = (text: string) => Buffer.from(text, 'latin1');

function build(t: Parameters<typeof tempDir>[0]) {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'm/a/b'), { recursive: true });
  mkdirSync(join(dir, 'out/deep'), { recursive: true });
  writeFileSync(join(dir, 'm/a/b/file'), 'inside');
  writeFileSync(join(dir, 'm/top'), 'top');
  writeFileSync(join(dir, 'out/secret'), 'secret');
  symlinkSync('../out', join(dir, 'm/up'));
  symlinkSync(join(dir, 'out'), join(dir, 'm/absolute'));
  symlinkSync('a/b', join(dir, 'm/near'));
  symlinkSync('../near/../b', join(dir, 'm/a/around'));
  symlinkSync('nowhere', join(dir, 'm/dangling'));
  symlinkSync('loop', join(dir, 'm/loop'));
  symlinkSync('top', join(dir, 'm/totop'));
  symlinkSync('../out/secret', join(dir, 'm/tosecret'));
  return dir;
}

t.test('paths of a plain tree', (t) => {
  const dir = build(t);
  const root = Root.plain(join(dir, 'm'));
  t.equal(root.path('a/b/file').toString(), join(dir, 'm/a/b/file'));
  t.equal(root.path('.').toString(), `${join(dir, 'm')}/`);
  t.equal(root.dir('').self().toString(), `${join(dir, 'm')}/`);
  t.equal(root.dir('a').at(name('xxby'), 2, 3).toString(), join(dir, 'm/a/b'));
  t.equal(root.path('/etc/passwd').toString(), '/etc/passwd');
  t.equal(Root.plain('/').path('etc').toString(), '/etc');
  t.equal(Root.plain('').path('x').toString(), './x');
  t.equal(Root.plain('').dir('x/y').atString('z').toString(), './x/y/z');
  const odd = root.path('a/\xff\n');
  t.same(odd.subarray(-2), Buffer.from([0xff, 0x0a]));
  root.close();
  t.end();
});

for (const followInside of [false, true]) {
  t.test(`a confined tree, links inside ${followInside ? 'followed' : 'refused'}`, (t) => {
    const dir = build(t);
    const root = Root.confined(join(dir, 'm'), followInside);
    t.teardown(() => root.close());
    const read = (path: string) => readFileSync(root.path(path), 'latin1');
    t.equal(read('a/b/file'), 'inside');
    t.equal(read('./a//b/./file'), 'inside');
    t.equal(read('top'), 'top');
    t.ok(readdirSync(root.dir('.').self()).includes('top'));
    t.strictSame(readdirSync(root.path('a/b/.')), ['file']);

    t.throws(() => root.dir('..'), { code: 'EXDEV' }, 'the directory above');
    t.throws(() => root.dir('a/../../out'), { code: 'EXDEV' }, 'above by a detour');
    t.throws(() => root.path('../out/secret'), { code: 'EXDEV' });
    t.throws(() => root.dir(join(dir, 'out')), { code: 'EINVAL' }, 'an absolute path');
    t.throws(() => root.path('/etc/passwd'), 'an absolute file');
    t.throws(() => root.path('a/..'), { code: 'EINVAL' }, 'a name of two dots');
    t.throws(() => root.dir('a\0b'), { code: 'EINVAL' }, 'a NUL byte');
    const refused = followInside ? { code: 'ELOOP' } : { code: 'ENOTDIR' };
    t.throws(() => root.dir('up'), refused, 'a link that leads up and out');
    t.throws(() => root.path('up/secret'), refused);
    t.throws(() => root.dir('absolute'), refused, 'an absolute link');
    t.throws(() => root.dir('up/deep'), refused, 'below such a link');
    t.throws(() => root.dir('loop'), { code: followInside ? 'ELOOP' : 'ENOTDIR' });
    t.throws(() => root.dir('dangling'), { code: followInside ? 'ENOENT' : 'ENOTDIR' });
    t.throws(() => root.dir('top'), { code: 'ENOTDIR' }, 'a file is no directory');
    t.throws(() => root.dir('missing'), { code: 'ENOENT' });
    const d = root.dir('a');
    for (const bad of ['..', 'b/file', '', 'x\0y', '/etc']) t.throws(() => d.atString(bad), { code: 'EINVAL' }, bad);

    if (followInside) {
      t.equal(read('near/file'), 'inside');
      t.equal(read('a/around/file'), 'inside');
      t.equal(readFileSync(root.resolve('totop'), 'latin1'), 'top');
      t.equal(lstatSync(root.resolve('near')).isDirectory(), true);
      t.throws(() => root.resolve('loop'), { code: 'ELOOP' });
    } else {
      t.throws(() => root.dir('near'), { code: 'ENOTDIR' });
      t.throws(() => root.resolve('totop'), { code: 'ELOOP' });
    }
    t.throws(() => root.resolve('tosecret'), 'a link to a file outside');
    t.throws(() => root.resolve('dangling'));
    t.ok(lstatSync(root.path('tosecret')).isSymbolicLink(), 'the link itself can be named');
    t.end();
  });
}

t.test("a guarded tree, and what a user's options name beside it", (t) => {
  const dir = build(t);
  const root = Root.guarded(join(dir, 'm'));
  t.teardown(() => root.close());
  const read = (at: Root, path: string) => readFileSync(at.path(path), 'latin1');
  t.equal(read(root, 'near/file'), 'inside', 'a link inside');
  for (const bad of ['up/secret', 'absolute/secret', 'loop/x']) t.throws(() => root.path(bad), { code: 'ELOOP' }, bad);
  t.throws(() => root.resolve('tosecret'), { code: 'ELOOP' });
  t.equal(read(root, '../out/secret'), 'secret', 'an option leads out');
  t.equal(read(root, join(dir, 'out/secret')), 'secret');
  for (const own of ['up/secret', 'absolute/secret', 'up/../m/up/deep/../secret', './up//secret']) {
    t.equal(read(root.options, own), 'secret', own);
  }
  t.equal(readFileSync(root.options.resolve('tosecret'), 'latin1'), 'secret');
  t.ok(readdirSync(root.options.path('..')).includes('out'));
  t.throws(() => root.options.path('loop/x'), { code: 'ELOOP' });
  t.throws(() => root.options.path('top/x'), { code: 'ENOTDIR' });
  if (process.getuid?.() === 0) {
    for (const link of ['up', 'absolute', 'tosecret']) lchownSync(join(dir, 'm', link), 1234, 0);
    const other = Root.guarded(join(dir, 'm'));
    t.teardown(() => other.close());
    for (const bad of ['up/secret', 'absolute/secret', 'a/../up/secret', '../m/up/secret']) {
      t.throws(() => other.options.path(bad), { code: 'ELOOP' }, bad);
    }
    t.throws(() => other.options.resolve('tosecret'), { code: 'ELOOP' });
    try {
      Root.guarded(join(dir, 'm/up/deep'));
      t.fail('a destination behind a link of another user');
    } catch (error) {
      t.ok(isForeignLink(error));
    }
  }
  t.throws(() => Root.nowhere().options.path('x/y'), { code: 'ENOENT' }, 'nothing is below what is not there');
  t.equal(read(Root.nowhere(), join(dir, 'out/secret')), 'secret');
  t.end();
});

t.test('a directory that is swapped for a link is never followed', (t) => {
  const dir = build(t);
  const root = Root.confined(join(dir, 'm'), true);
  t.teardown(() => root.close());
  const held = root.dir('a/b');
  renameSync(join(dir, 'm/a/b'), join(dir, 'm/a/moved'));
  symlinkSync(join(dir, 'out'), join(dir, 'm/a/b'));
  writeFileSync(held.atString('new'), 'x');
  t.ok(existsSync(join(dir, 'm/a/moved/new')), 'written to the directory that was opened');
  t.notOk(existsSync(join(dir, 'out/new')), 'and not through the link');
  root.forget('a/b');
  t.throws(() => root.dir('a/b'), { code: 'ELOOP' }, 'opened again, the link is refused');
  t.throws(() => held.atString('new'), 'a directory that was let go is found again by its name, or not at all');
  t.end();
});

t.test('descriptors are bounded, and come back when they are needed', (t) => {
  const dir = tempDir(t);
  const before = readdirSync('/proc/self/fd').length;
  const root = Root.confined(dir);
  for (let i = 0; i < 300; i++) mkdirSync(join(dir, `d${i}`));
  const first = root.dir('d0');
  for (let i = 0; i < 300; i++) writeFileSync(root.dir(`d${i}`).atString('f'), String(i));
  t.ok(readdirSync('/proc/self/fd').length <= before + 66);
  t.equal(readFileSync(first.atString('f'), 'latin1'), '0', 'an old directory object still works');
  const second = root.dir('d0');
  t.equal(readFileSync(second.atString('f'), 'latin1'), '0');
  t.equal(readFileSync(first.atString('f'), 'latin1'), '0');
  for (let i = 0; i < 300; i++) t.equal(readFileSync(root.path(`d${i}/f`), 'latin1'), String(i));
  root.close();
  t.equal(readdirSync('/proc/self/fd').length, before, 'all are closed at the end');
  t.throws(() => root.dir('d5'), 'a closed root gives nothing');
  t.end();
});

t.test('a directory that was removed and made again', (t) => {
  const dir = tempDir(t);
  const root = Root.confined(dir);
  t.teardown(() => root.close());
  mkdirSync(join(dir, 'x/y'), { recursive: true });
  root.dir('x');
  root.dir('x/y');
  rmdirSync(join(dir, 'x/y'));
  rmdirSync(join(dir, 'x'));
  root.forget('x');
  t.throws(() => root.dir('x/y'), { code: 'ENOENT' });
  mkdirSync(join(dir, 'x'));
  writeFileSync(root.path('x/f'), 'new');
  t.equal(readFileSync(join(dir, 'x/f'), 'latin1'), 'new');
  t.end();
});

t.test('a link race against the walk cannot win', (t) => {
  const dir = build(t);
  const root = Root.confined(join(dir, 'm'), true);
  t.teardown(() => root.close());
  const a = join(dir, 'm/flip');
  let escaped = 0;
  // Every state that the attacker can show us, in every order: a directory, a link out, a link inside, nothing.
  const states = [() => mkdirSync(a), () => symlinkSync('../out', a), () => symlinkSync('a', a), () => {}];
  for (const before of states) {
    for (const after of states) {
      before();
      let held: ReturnType<typeof root.dir> | null = null;
      try {
        held = root.dir('flip');
      } catch {
        // Refused or missing: fine.
      }
      if (existsSync(a) || lstatSync(a, { throwIfNoEntry: false })) renameSync(a, join(dir, `old${Math.random()}`));
      after();
      try {
        writeFileSync((held ?? root.dir('flip')).atString('probe'), 'x');
      } catch {
        // Refused: fine.
      }
      if (existsSync(join(dir, 'out/probe'))) escaped++;
      if (lstatSync(a, { throwIfNoEntry: false })) renameSync(a, join(dir, `old${Math.random()}`));
      root.forget('flip');
    }
  }
  t.equal(escaped, 0);
  t.end();
});
