/** Where a module lies: in a part of its new root, below a directory that is closed to its user, behind a link. */
import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon } from '../../src/daemon/server.js';
import { run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const isRoot = process.getuid?.() === 0;
const rsync = (...args: string[]) => run('rsync', args, { timeout: 60_000 });
type Modules = Record<string, Record<string, string | number | boolean>>;

async function serve(t: Test, modules: (dir: string) => Modules) {
  const dir = tempDir(t);
  chmodSync(dir, 0o755);
  const file = join(dir, 'log');
  const global = { 'reverse lookup': false, 'read only': false, 'log file': file, uid: 0, gid: 0 };
  mkdirSync(join(dir, 'src'));
  writeFileSync(join(dir, 'src/f'), 'same\n');
  symlinkSync('f', join(dir, 'src/l'));
  const daemon = await startDaemon({ global, modules: modules(dir) }, { address: '127.0.0.1', port: 0 });
  t.teardown(() => daemon.close());
  return { dir, url: `rsync://127.0.0.1:${daemon.port}`, log: () => readFileSync(file, 'latin1') };
}

t.test('a part of a new root', { skip: !isRoot && 'needs root' }, async (t) => {
  const { dir, url } = await serve(t, (dir) => ({
    mod: { path: `${dir}/outer/./inner`, 'use chroot': true },
    open: { path: `${dir}/outer/./inner`, 'use chroot': true, 'munge symlinks': false },
  }));
  const inner = join(dir, 'outer/inner');
  mkdirSync(join(dir, 'outer/beside'), { recursive: true });
  writeFileSync(join(dir, 'outer/beside/f'), 'same\n');
  await run('touch', ['-r', join(dir, 'src/f'), join(dir, 'outer/beside/f')]);
  const missing = await rsync(`${url}/mod/`);
  t.match(missing.stderr, /^@ERROR: chdir failed\n/);
  mkdirSync(inner);
  symlinkSync('../beside', join(inner, 'up'));
  symlinkSync('/beside', join(inner, 'absolute'));
  const pushed = await rsync('-a', `${dir}/src/`, `${url}/mod/default/`);
  t.same({ code: pushed.code, stderr: pushed.stderr }, { code: 0, stderr: '' }, 'there is no /proc in it');
  t.equal(readlinkSync(join(inner, 'default/l')), '/rsyncd-munged/f', 'links are munged by default');
  symlinkSync('../../beside/f', join(dir, 'src/far'));
  for (const link of ['up', 'absolute']) {
    const linked = await rsync('-a', `--link-dest=/${link}`, `${dir}/src/`, `${url}/open/${link}-dest/`);
    t.equal(linked.code, 0);
    t.equal(statSync(join(inner, `${link}-dest/f`)).nlink, 1, `nothing is linked through ${link}`);
    t.equal(readlinkSync(join(inner, `${link}-dest/far`)), 'beside/f', 'links that would lead out are bent');
    const pulled = await rsync('-rL', `${url}/open/${link}/`, join(dir, 'pulled'));
    t.not(pulled.code, 0);
    t.notOk(existsSync(join(dir, 'pulled/f')), `nothing is read through ${link}`);
  }
  mkdirSync(join(inner, 'rsyncd-munged'));
  t.equal((await rsync(`${url}/mod/`)).code, 0, 'a client cannot close the module by a directory of that name');
});

t.test('below a directory that is closed to its user', { skip: !isRoot && 'needs root' }, async (t) => {
  const { dir, url } = await serve(t, (dir) => ({
    mod: { path: `${dir}/private/mod`, 'use chroot': false, uid: 65534, gid: 65534 },
  }));
  mkdirSync(join(dir, 'private/mod/sub'), { recursive: true });
  writeFileSync(join(dir, 'private/mod/sub/file'), 'readable');
  symlinkSync('file', join(dir, 'private/mod/sub/link'));
  chmodSync(join(dir, 'private'), 0o700);
  chmodSync(join(dir, 'private/mod'), 0o777);
  for (const links of ['l', 'L']) {
    const pulled = await rsync(`-r${links}`, `${url}/mod/`, join(dir, links));
    t.same({ code: pulled.code, stderr: pulled.stderr }, { code: 0, stderr: '' });
    t.equal(readFileSync(join(dir, links, 'sub/file'), 'latin1'), 'readable');
  }
  t.equal((await rsync('-r', `${dir}/src/`, `${url}/mod/in/`)).code, 0);
  t.equal(readFileSync(join(dir, 'private/mod/in/f'), 'latin1'), 'same\n');
});

t.test('behind a link', { skip: !isRoot && 'needs root' }, async (t) => {
  const { dir, url, log } = await serve(t, (dir) => ({
    planted: { path: `${dir}/planted/src`, 'use chroot': false },
    own: { path: `${dir}/own/src`, 'use chroot': false },
  }));
  for (const name of ['planted', 'own']) symlinkSync('.', join(dir, name));
  lchownSync(join(dir, 'planted'), 65534, 65534);
  const refused = await rsync(`${url}/planted/`);
  t.match(refused.stderr, /^@ERROR: chdir failed\n/, 'one that is somebody else’s is not followed');
  t.match(log(), /chdir .*\/planted\/src failed: Too many levels of symbolic links \(40\)\n/);
  t.equal((await rsync(`${url}/own/`)).code, 0);
});

t.test('insecure links', { skip: !isRoot && 'needs root' }, async (t) => {
  const { dir, url } = await serve(t, (dir) => ({
    held: { path: `${dir}/outer/inner`, 'use chroot': false },
    trusting: { path: `${dir}/outer/inner`, 'use chroot': false, 'insecure links': true },
    inner: { path: `${dir}/outer/./inner`, 'use chroot': true, 'insecure links': true },
  }));
  for (const name of ['inner/sub', 'beside', 'target']) mkdirSync(join(dir, 'outer', name), { recursive: true });
  writeFileSync(join(dir, 'outer/beside/f'), 'beyond');
  const links = { dir: '../beside', file: 'dir/f', 'sub/up': '../../beside/f' };
  for (const [name, target] of Object.entries(links)) {
    symlinkSync(target, join(dir, 'outer/inner', name));
    lchownSync(join(dir, 'outer/inner', name), 65534, 65534);
  }
  for (const module of ['held', 'trusting', 'inner']) {
    const to = join(dir, `from-${module}`);
    const pulled = await rsync('-rL', `${url}/${module}/`, to);
    const follows = module !== 'held';
    t.equal(pulled.code, follows ? 0 : 23, pulled.stderr);
    for (const name of ['dir/f', 'file', 'sub/up']) {
      t.equal(existsSync(join(to, name)), follows, `${name} of ${module}`);
      if (follows) t.equal(readFileSync(join(to, name), 'latin1'), 'beyond');
    }
    const pushed = await rsync('-r', `${dir}/src/`, `${url}/${module}/dir/by-${module}/`);
    t.equal(pushed.code === 0, follows, pushed.stderr);
    t.equal(existsSync(join(dir, `outer/beside/by-${module}/f`)), follows);
    t.notMatch((await rsync('-r', `${url}/${module}/../beside/`)).stdout, /f\n/, 'a path has no way out all the same');
  }
});
