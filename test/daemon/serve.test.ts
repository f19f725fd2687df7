import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type RunningDaemon, startDaemon } from '../../src/daemon/server.js';
import { run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

const isRoot = process.getuid?.() === 0;
const rsync = (...args: string[]) => run('rsync', args, { timeout: 60_000 });

interface Setup {
  dir: string;
  daemon: RunningDaemon;
  url: string;
  log(): string;
}

/** A daemon with a module `src` (read only, with a few files) and `dst` (writable), and what else is asked for. */
async function setup(t: Test, more: (dir: string) => Record<string, Record<string, string | number>> = () => ({})) {
  const dir = tempDir(t);
  for (const name of ['src', 'src/sub', 'dst']) mkdirSync(join(dir, name));
  writeFileSync(join(dir, 'src', 'a.txt'), 'alpha');
  writeFileSync(join(dir, 'src', 'b c.txt'), 'beta');
  writeFileSync(join(dir, 'src', 'sub', 'x.bin'), Buffer.alloc(100_000, 7));
  writeFileSync(join(dir, 'src', 'secret.key'), 'hidden');
  const identity: Record<string, number> = isRoot ? { uid: 0, gid: 0 } : {};
  const file = join(dir, 'log');
  const daemon = await startDaemon(
    {
      global: { 'use chroot': false, 'reverse lookup': false, 'log file': file, ...identity },
      modules: {
        src: { path: join(dir, 'src'), exclude: '*.key' },
        dst: { path: join(dir, 'dst'), 'read only': false, 'transfer logging': true },
        ...more(dir),
      },
    },
    { address: '127.0.0.1', port: 0 },
  );
  t.teardown(() => daemon.close());
  const made: Setup = { dir, daemon, url: `rsync://127.0.0.1:${daemon.port}`, log: () => readFileSync(file, 'latin1') };
  return made;
}

t.test('push and pull, and what the log says of it', async (t) => {
  const { dir, url, log } = await setup(t);
  const pull = await rsync('-a', `${url}/src/`, join(dir, 'copy'));
  t.same({ code: pull.code, stderr: pull.stderr }, { code: 0, stderr: '' });
  t.same(readdirSync(join(dir, 'copy')).sort(), ['a.txt', 'b c.txt', 'sub'], 'all but what the module hides');
  t.equal(readFileSync(join(dir, 'copy/sub/x.bin')).length, 100_000);
  const push = await rsync('-a', `${join(dir, 'copy')}/`, `${url}/dst/in/`);
  t.same({ code: push.code, stderr: push.stderr }, { code: 0, stderr: '' });
  t.equal(readFileSync(join(dir, 'dst/in/b c.txt'), 'latin1'), 'beta');
  t.match(log(), /\] rsync on src\/ from UNDETERMINED \(127\.0\.0\.1\)\n/);
  t.match(log(), /\] rsync to dst\/in\/ from UNDETERMINED \(127\.0\.0\.1\)\n/);
  t.match(log(), /\] recv UNDETERMINED \[127\.0\.0\.1\] dst \(\) (in\/)?b c\.txt 4\n/);
  await waitFor(
    () => (log().match(/\] sent \d+ bytes {2}received \d+ bytes {2}total size \d+\n/g) ?? []).length === 2,
    30_000,
    'both summaries',
  );
});

t.test('paths: wildcards, several, secluded, above the module', async (t) => {
  const { dir, url } = await setup(t);
  const names = async (...args: string[]) => {
    const done = await rsync('-r', '--list-only', ...args);
    return done.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.slice(46));
  };
  t.same(await names(`${url}/src/*.txt`), ['a.txt', 'b c.txt']);
  t.same(await names(`${url}/src/*.key`), [], 'a hidden file is not found by wildcards');
  t.same(await names(`${url}/src/s*/x.*`), ['x.bin']);
  for (const target of ['nowhere', 'a.txt', '/etc/passwd'])
    symlinkSync(target, join(dir, 'src', `l-${target.slice(-4)}`));
  const links = await names('-l', `${url}/src/l-*`);
  t.same(links, ['l-.txt -> a.txt', 'l-sswd -> /etc/passwd'], 'nor is a link that leads nowhere');
  t.same(await names('-l', `${url}/src/l-here`), ['l-here -> nowhere'], 'unless it is called by its name');
  t.same(await names(`${url}/src/a.txt`, '::src/b c.txt'), ['a.txt', 'b c.txt']);
  t.same(await names('-s', `${url}/src/b c.txt`), ['b c.txt']);
  t.same(await names('-s', `${url}/src/[ab]*`), ['a.txt', 'b c.txt']);
  t.same(await names(`${url}/src/sub/../../../../../a.txt`), ['a.txt'], 'the module is the top of its world');
  t.same(await names(`${url}/src/../dst/`), [], 'its neighbours cannot be reached');
  writeFileSync(join(dir, 'outside'), 'x');
  t.same(await names(`${url}/src/../outside`), []);
});

t.test('access', async (t) => {
  const { dir, url } = await setup(t, (dir) => ({
    drop: { path: join(dir, 'dst'), 'read only': 'no', 'write only': 'yes' },
    strict: { path: join(dir, 'src'), 'refuse options': 'checksum delete' },
  }));
  const readOnly = await rsync('-a', join(dir, 'src/a.txt'), `${url}/src/`);
  t.equal(readOnly.code, 1);
  t.match(readOnly.stderr, /ERROR: module is read only\n/);
  const writeOnly = await rsync('-a', `${url}/drop/`, join(dir, 'x'));
  t.equal(writeOnly.code, 1);
  t.match(writeOnly.stderr, /ERROR: module is write only\n/);
  const refused = await rsync('-ac', `${url}/strict/`, join(dir, 'x'));
  t.equal(refused.code, 4);
  t.match(refused.stderr, /The server is configured to refuse --checksum \(-c\)\n/);
  t.equal((await rsync('-a', `${url}/strict/`, join(dir, 'x'))).code, 0);
});

t.test('outgoing chmod', async (t) => {
  const { dir, url } = await setup(t, (dir) => ({
    out: { path: join(dir, 'src'), 'outgoing chmod': 'Fgo-r,D700' },
    bad: { path: join(dir, 'src'), 'outgoing chmod': 'nonsense' },
  }));
  t.equal((await rsync('-a', `${url}/out/`, join(dir, 'copy'))).code, 0);
  t.equal(statSync(join(dir, 'copy/a.txt')).mode & 0o777, 0o600);
  t.equal(statSync(join(dir, 'copy/sub')).mode & 0o777, 0o700);
  t.equal((await rsync('-a', `${url}/bad/`, join(dir, 'other'))).code, 0, 'one that cannot be read has no effect');
});

t.test('exclude is about names: below a name without a slash at its end all is open', async (t) => {
  const { dir, url } = await setup(t, (dir) => ({
    bare: { path: join(dir, 'dst'), 'read only': 'no', exclude: '/bare /public/kept/' },
    slash: { path: join(dir, 'dst'), 'read only': 'no', exclude: '/slash/' },
  }));
  for (const name of ['bare/in', 'slash/in', 'public']) mkdirSync(join(dir, 'dst', name), { recursive: true });
  const push = async (...to: string[]) => (await rsync('-a', join(dir, 'src/a.txt'), ...to)).code;
  t.equal(await push(`${url}/bare/bare/in/`), 0);
  t.equal(await push(`${url}/bare/bare/x`), 0);
  t.equal(await push(`${url}/slash/slash/in/`), 3);
  t.equal(await push(`${url}/slash/slash/x`), 3);
  t.same(readdirSync(join(dir, 'dst/bare')).sort(), ['in', 'x']);
  t.same(readdirSync(join(dir, 'dst/slash/in')), []);
  symlinkSync('public', join(dir, 'dst/link'));
  t.equal(await push('--delay-updates', '--partial-dir=/link/kept', `${url}/bare/`), 0);
  t.ok(existsSync(join(dir, 'dst/public/kept')), 'a link is no way around a name, and an absolute --partial-dir stays');
});

t.test('a filter file that is missing closes its module', async (t) => {
  const { dir, url, log } = await setup(t, (dir) => ({
    broken: { path: join(dir, 'src'), 'exclude from': join(dir, 'none') },
    merged: { path: join(dir, 'src'), filter: `merge ${join(dir, 'rules')}` },
    listed: { path: join(dir, 'src'), 'exclude from': join(dir, 'rules') },
  }));
  const broken = await rsync(`${url}/broken/`);
  t.equal(broken.code, 5);
  t.match(log(), /failed to open filter file .*none: No such file or directory \(2\)/);
  writeFileSync(join(dir, 'rules'), '- *.txt\n- *.key\n');
  for (const module of ['merged', 'listed']) {
    const done = await rsync(`${url}/${module}/`);
    t.match(done.stdout, /sub\n$/);
    t.notMatch(done.stdout, /a\.txt/, module);
  }
});

t.test('in a chroot, as somebody else', { skip: !isRoot && 'needs root' }, async (t) => {
  const { dir, url } = await setup(t, (dir) => ({
    jail: { path: join(dir, 'dst'), 'read only': 'no', 'use chroot': 'yes', uid: 'nobody', gid: 'nogroup' },
    number: { path: join(dir, 'dst'), 'read only': 'no', uid: 12345, gid: '23456' },
  }));
  await run('chmod', ['777', join(dir, 'dst')]);
  const push = await rsync('-rz', `${join(dir, 'src')}/`, `${url}/jail/a/`);
  t.same({ code: push.code, stderr: push.stderr }, { code: 0, stderr: '' });
  t.match(statSync(join(dir, 'dst/a/a.txt')), { uid: 65534, gid: 65534 });
  const numbered = await rsync('-r', `${join(dir, 'src')}/`, `${url}/number/b/`);
  t.equal(numbered.code, 0);
  t.match(statSync(join(dir, 'dst/b/a.txt')), { uid: 12345, gid: 23456 });
  const back = await rsync('-a', `${url}/jail/a/`, join(dir, 'back'));
  t.equal(back.code, 0);
  t.equal(readFileSync(join(dir, 'back/sub/x.bin')).length, 100_000);
});

t.test('many clients share few workers', async (t) => {
  const { dir, url, daemon, log } = await setup(t);
  const clients: Promise<{ code: number | null; stderr: string }>[] = [];
  for (let i = 0; i < 12; i++) {
    clients.push(rsync('-a', `${url}/src/`, join(dir, `pull${i}`)));
    clients.push(rsync('-a', `${join(dir, 'src')}/`, `${url}/dst/push${i}/`));
  }
  for (const { code, stderr } of await Promise.all(clients)) t.same({ code, stderr }, { code: 0, stderr: '' });
  for (let i = 0; i < 12; i++)
    t.ok(existsSync(join(dir, `pull${i}/sub/x.bin`)) && existsSync(join(dir, `dst/push${i}/a.txt`)));
  t.ok(daemon.workerPids().length <= 9, `${daemon.workerPids().length} workers`);
  t.notMatch(log(), /internal error|worker \d+ ended/);
});
