import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeDirectories } from '../../src/files/directories.js';
import { type RemoveRules, removeTree } from '../../src/files/remove.js';
import { Root } from '../../src/files/root.js';
import { cleanEnv } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const isRoot = process.getuid?.() === 0;

function rules(over: Partial<RemoveRules> = {}): RemoveRules & { log: string[] } {
  const log: string[] = [];
  return {
    log,
    recurse: true,
    oneFileSystem: false,
    isRoot,
    protect: null,
    onDelete: (path, isDir) => log.push(`deleting ${path}${isDir ? '/' : ''}`),
    onNotEmpty: (path) => log.push(`not empty ${path}`),
    onError: (call, path, error) => log.push(`${call} ${path} ${(error as NodeJS.ErrnoException).code}`),
    ...over,
  };
}

function build(base: string): void {
  mkdirSync(join(base, 'x/b/sub'), { recursive: true });
  mkdirSync(join(base, 'x/a.d'));
  mkdirSync(join(base, 'x/a'));
  mkdirSync(join(base, 'keep'));
  for (const name of ['x/z', 'x/a-file', 'x/b/sub/f', 'x/b/1', 'x/a.d/y', 'x/a/q', 'keep/f', 'x/Z']) {
    writeFileSync(join(base, name), name);
  }
  symlinkSync('../keep', join(base, 'x/link'));
  symlinkSync('nowhere', join(base, 'x/b/dangling'));
}

t.test('a tree goes in the order in which rsync deletes it', (t) => {
  const dir = tempDir(t);
  build(dir);
  mkdirSync(join(dir, 'dst'));
  mkdirSync(join(dir, 'empty'));
  spawnSync('cp', ['-a', join(dir, 'x'), join(dir, 'dst/x')]);
  const args = ['-r', '--delete', '-v', '--info=flist0', `${dir}/empty/`, `${dir}/dst/`];
  const said = spawnSync('rsync', args, { encoding: 'latin1', env: cleanEnv() });
  const expected = said.stdout.split('\n').filter((line) => line.startsWith('deleting '));
  t.equal(expected.length, 14);
  const root = Root.confined(dir);
  t.teardown(() => root.close());
  const how = rules();
  t.equal(removeTree(root, 'x', how), 'gone');
  t.strictSame(how.log, expected);
  t.notOk(existsSync(join(dir, 'x')));
  t.equal(readFileSync(join(dir, 'keep/f'), 'latin1'), 'keep/f', 'a link is removed, not what it leads to');
  t.equal(removeTree(root, 'x', how), 'gone', 'nothing there is as good');
  t.equal(removeTree(root, 'keep/f', how), 'gone');
  t.end();
});

t.test('what is protected keeps its directories', (t) => {
  const dir = tempDir(t);
  build(dir);
  const how = rules({ protect: (path) => path === 'x/b/1' });
  t.equal(removeTree(Root.plain(dir), 'x', how), 'not-empty');
  t.strictSame(readdirSync(join(dir, 'x')), ['b']);
  t.strictSame(readdirSync(join(dir, 'x/b')), ['1']);
  t.strictSame(how.log.slice(-1), ['not empty x']);
  t.ok(how.log.includes('not empty x/b'));

  const flat = rules({ recurse: false });
  t.equal(removeTree(Root.plain(dir), 'x', flat), 'not-empty');
  t.strictSame(flat.log, ['not empty x']);
  mkdirSync(join(dir, 'void'));
  t.equal(removeTree(Root.plain(dir), 'void', flat), 'gone');
  t.end();
});

t.test('a link to a directory is removed itself', (t) => {
  const dir = tempDir(t);
  build(dir);
  const how = rules();
  t.equal(removeTree(Root.confined(dir), 'x/link', how), 'gone');
  t.strictSame(how.log, ['deleting x/link']);
  t.ok(existsSync(join(dir, 'keep/f')));
  t.end();
});

t.test('another file system stays with -x', { skip: isRoot ? false : 'mounting needs root' }, (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'x/mount'), { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', 'none', join(dir, 'x/mount')]).status === 0;
  if (!mounted) {
    t.pass('mounting is not allowed here');
    t.end();
    return;
  }
  try {
    writeFileSync(join(dir, 'x/mount/f'), '');
    t.equal(removeTree(Root.plain(dir), 'x', rules({ oneFileSystem: true })), 'not-empty');
    t.ok(existsSync(join(dir, 'x/mount/f')));
    const how = rules();
    t.equal(removeTree(Root.plain(dir), 'x', how), 'not-empty');
    t.ok(how.log.includes('rmdir x/mount EBUSY'), 'a mount point itself cannot go');
  } finally {
    spawnSync('umount', [join(dir, 'x/mount')]);
  }
  t.end();
});

t.test('without root, directories are opened up', { skip: isRoot ? false : 'needs root to become nobody' }, (t) => {
  const dir = tempDir(t);
  chmodSync(dir, 0o777);
  const url = (path: string) => new URL(`../../${path}`, import.meta.url).href;
  const script = `
    import { removeTree } from '${url('src/files/remove.js')}';
    import { Root } from '${url('src/files/root.js')}';
    import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
    const dir = process.argv[1];
    mkdirSync(dir + '/d/e', { recursive: true }); writeFileSync(dir + '/d/e/f', '');
    chmodSync(dir + '/d/e', 0o500); chmodSync(dir + '/d', 0o100);
    const log = [];
    const how = { recurse: true, isRoot: false, protect: null, onDelete: (p) => log.push(p), onNotEmpty: null,
      onError: (c, p, e) => log.push(c + p + e.code) };
    console.log(removeTree(Root.confined(dir), 'd', how), log.join());
    console.log(removeTree(Root.plain('/etc'), 'hostname', how), log.at(-1));`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script, dir], {
    encoding: 'latin1',
    env: { PATH: process.env.PATH },
    uid: 65534,
    gid: 65534,
  });
  t.equal(child.stdout, 'gone d/e/f,d/e,d\nfailed unlinkhostnameEACCES\n', child.stderr);
  t.end();
});

t.test('directories are made with what is missing above them', (t) => {
  const dir = tempDir(t);
  const root = Root.confined(dir);
  t.teardown(() => root.close());
  const made: string[] = [];
  t.equal(
    makeDirectories(root, 'a/b/c', 0o700, (path) => made.push(path)),
    3,
  );
  t.strictSame(made, ['a', 'a/b', 'a/b/c']);
  t.equal(makeDirectories(root, 'a/b/c'), 0);
  t.equal(makeDirectories(root, ''), 0);
  writeFileSync(join(dir, 'a/file'), '');
  t.throws(() => makeDirectories(root, 'a/file'), { code: 'ENOTDIR' });
  t.throws(() => makeDirectories(root, 'a/file/below'));
  t.throws(() => makeDirectories(root, '../outside/x'));
  t.throws(() => makeDirectories(Root.plain('/none/at/all'), 'x'), { code: 'ENOENT' });
  t.end();
});
