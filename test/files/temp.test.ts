import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { Root } from '../../src/files/root.js';
import {
  isMunged,
  makeHardLink,
  makeSpecial,
  makeSymlink,
  mungeTarget,
  unmungeTarget,
} from '../../src/files/special.js';
import { copyFileTo, createTemp, splitPath, tempName, tempRegistry } from '../../src/files/temp.js';
import { tempDir } from '../lib/temp.js';

const isRoot = process.getuid?.() === 0;
const bytes = (text: string) => Buffer.from(text, 'latin1');
const make = (text: string, hidden = true) => tempName(bytes(text), 0, text.length, hidden).toString('latin1');

t.test('names of unfinished files', (t) => {
  t.match(make('file.txt'), /^\.file\.txt\.[A-Za-z0-9]{6}$/);
  t.match(make('.hidden'), /^\.hidden\.\w{6}$/, 'no second dot');
  t.match(make('file', false), /^file\.\w{6}$/, 'in a --temp-dir');
  t.match(make('dot.'), /^\.dot\.\w{6}$/);
  t.match(tempName(bytes('dir/name'), 4, 8).toString(), /^\.name\.\w{6}$/);
  t.not(make('x'), make('x'));
  t.equal(make('n'.repeat(255)).length, 254);
  const cut = make(`${'n'.repeat(245)}\xc3\xa9\xc3\xa9`);
  t.match(cut, /^\.n{245}\.\w{6}$/, 'no half character');
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 255 }), fc.boolean(), (name, hidden) => {
      const temp = tempName(name, 0, name.length, hidden);
      if (temp.length > 255 || temp.length < 7) return false;
      return !hidden || temp[0] === 0x2e;
    }),
    { seed: 7 },
  );
  t.strictSame(splitPath('a/b/c'), { dir: 'a/b', name: bytes('c') });
  t.strictSame(splitPath('/c'), { dir: '/', name: bytes('c') });
  t.strictSame(splitPath('c'), { dir: '', name: bytes('c') });
  t.end();
});

for (const kind of ['plain', 'confined'] as const) {
  t.test(`a file comes into its place whole, in a ${kind} tree`, (t) => {
    const base = tempDir(t);
    const root = Root[kind](base);
    t.teardown(() => root.close());
    mkdirSync(join(base, 'd'));
    writeFileSync(join(base, 'd/f'), 'old');
    const name = bytes('f');
    const temp = createTemp(root.dir('d'), name, 0, 1, 0o100666);
    t.equal(lstatSync(temp.path()).mode & 0o7777, 0o600, 'only its owner gets at it');
    writeSync(temp.fd, 'new');
    t.equal(readFileSync(join(base, 'd/f'), 'latin1'), 'old');
    t.equal(tempRegistry.size, 1);
    temp.moveTo(root.dir('d'), name, 0, 1, null);
    t.equal(readFileSync(join(base, 'd/f'), 'latin1'), 'new');
    t.strictSame(readdirSync(join(base, 'd')), ['f']);
    t.equal(tempRegistry.size, 0);

    const lost = createTemp(root.dir('d'), name, 0, 1, 0o444);
    const other = createTemp(root.dir('d'), name, 0, 1, 0o444);
    t.equal(readdirSync(join(base, 'd')).length, 3);
    rmSync(other.path());
    tempRegistry.removeAll();
    t.strictSame(readdirSync(join(base, 'd')), ['f'], 'an end by a signal leaves nothing');
    t.equal(lost.fd, -1);

    const blocked = createTemp(root.dir('d'), name, 0, 1, 0o600);
    mkdirSync(join(base, 'd/dir'));
    t.throws(() => blocked.moveTo(root.dir('d'), bytes('dir'), 0, 3, null), { code: 'EISDIR' });
    t.equal(tempRegistry.size, 1, 'still there to be dealt with');
    blocked.discard();
    t.equal(tempRegistry.size, 0);
    t.throws(() => createTemp(Root.plain(join(base, 'none')).dir(''), name, 0, 1, 0o600), { code: 'ENOENT' });
    t.end();
  });
}

t.test('from another file system it is copied beside its place first', (t) => {
  const base = tempDir(t);
  const shm = mkdtempSync('/dev/shm/tsrsync-');
  t.teardown(() => rmSync(shm, { recursive: true }));
  if (statSync(base).dev === statSync(shm).dev) {
    t.pass('one file system only');
    t.end();
    return;
  }
  const root = Root.plain(base);
  writeFileSync(join(base, 'f'), 'old');
  const temp = createTemp(Root.plain(shm).dir(''), bytes('f'), 0, 1, 0o600, false);
  writeSync(temp.fd, 'x'.repeat(700_000));
  let seen = '';
  temp.moveTo(root.dir(''), bytes('f'), 0, 1, (path) => {
    seen = path.toString();
    t.equal(readFileSync(join(base, 'f'), 'latin1'), 'old', 'attributes are set before it is in place');
    chmodSync(path, 0o640);
  });
  t.match(seen, /\/\.f\.\w{6}$/);
  t.equal(statSync(join(base, 'f')).size, 700_000);
  t.equal(statSync(join(base, 'f')).mode & 0o777, 0o640);
  t.strictSame(readdirSync(shm), []);
  t.strictSame(readdirSync(base), ['f']);
  t.equal(tempRegistry.size, 0);
  t.end();
});

t.test('a copy of a local file', (t) => {
  const base = tempDir(t);
  const root = Root.plain(base);
  writeFileSync(join(base, 'src'), 'content');
  symlinkSync('src', join(base, 'link'));
  copyFileTo(root, bytes(join(base, 'src')), 'dst', (path) => chmodSync(path, 0o604));
  t.equal(readFileSync(join(base, 'dst'), 'latin1'), 'content');
  t.equal(statSync(join(base, 'dst')).mode & 0o777, 0o604);
  t.throws(
    () => copyFileTo(root, bytes(join(base, 'link')), 'x', () => {}),
    { code: 'ELOOP' },
    'a link is not followed',
  );
  t.throws(() => copyFileTo(root, bytes(join(base, 'none')), 'x', () => {}), { code: 'ENOENT' });
  t.throws(() => {
    copyFileTo(root, bytes(join(base, 'src')), 'x', () => {
      throw new Error('attributes');
    });
  });
  t.strictSame(readdirSync(base).sort(), ['dst', 'link', 'src'], 'nothing is left behind');
  t.end();
});

t.test('links and special files replace what is there in one step', (t) => {
  const base = tempDir(t);
  const root = Root.confined(base);
  t.teardown(() => root.close());
  mkdirSync(join(base, 'd'));
  makeSymlink(root, 'd/l', bytes('one\xff'), false);
  t.same(readlinkSync(join(base, 'd/l'), 'buffer'), bytes('one\xff'));
  t.throws(() => makeSymlink(root, 'd/l', bytes('two'), false), { code: 'EEXIST' });
  makeSymlink(root, 'd/l', bytes('two'), true);
  t.equal(readlinkSync(join(base, 'd/l')), 'two');
  writeFileSync(join(base, 'd/f'), 'x');
  makeHardLink(root, 'd/f', 'd/l', true);
  t.equal(lstatSync(join(base, 'd/l')).ino, lstatSync(join(base, 'd/f')).ino);
  makeHardLink(root, 'd/f', 'd/l', true);
  makeHardLink(root, bytes(join(base, 'd/f')), 'third', false);
  t.equal(lstatSync(join(base, 'third')).nlink, 3, 'a link to itself leaves no temporary name');
  t.strictSame(readdirSync(join(base, 'd')).sort(), ['f', 'l']);
  makeSpecial(root, 'd/l', 0o010666, 0, 0, true);
  t.ok(lstatSync(join(base, 'd/l')).isFIFO());
  t.throws(() => makeSymlink(root, 'd', bytes('x'), true), { code: 'EISDIR' });
  t.throws(() => makeHardLink(root, 'd/none', 'd/new', false), { code: 'ENOENT' });
  t.throws(() => makeSymlink(root, 'd/../../x', bytes('x'), false));
  t.strictSame(readdirSync(base).sort(), ['d', 'third']);
  if (isRoot) {
    makeSpecial(root, 'dev', 0o020644, 1, 3, false);
    t.equal(lstatSync(join(base, 'dev')).rdev, 0x103);
    t.equal(lstatSync(join(base, 'dev')).mode & 0o077, 0);
  }
  t.end();
});

t.test('munged targets', (t) => {
  t.equal(mungeTarget(bytes('../x')).toString(), '/rsyncd-munged/../x');
  t.equal(unmungeTarget(mungeTarget(bytes('../x'))).toString(), '../x');
  t.equal(unmungeTarget(bytes('/rsyncd-mung')).toString(), '/rsyncd-mung');
  t.notOk(isMunged(bytes('/rsyncd-munged')));
  t.ok(isMunged(bytes('/rsyncd-munged/a')));
  t.end();
});
