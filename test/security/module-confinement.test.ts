/**
 * What clients of a daemon without a chroot must not reach: anything outside of the module, and what its filters
 * hide. The client is the real rsync; what it asks for is hostile, or the module holds links that lead out.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { hostileClient } from '../lib/hostile.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { type RunResult, run, runProgram } from '../lib/run.js';
import { type Teardown, tempDir } from '../lib/temp.js';

t.setTimeout(120_000);

const SECRET = 'topsecret';

interface House {
  dir: string;
  module: string;
  out: string;
  port: number;
  log(): string;
  /** Runs the real rsync; @ stands for the module's URL, # for the one with munged links. */
  rsync(...args: string[]): Promise<RunResult>;
}

async function house(t: Teardown): Promise<House> {
  const dir = tempDir(t);
  const module = join(dir, 'm');
  const out = join(dir, 'out');
  for (const sub of ['m/sub', 'm/private', 'm/prev', 'out/dir', 'src', 'o'])
    mkdirSync(join(dir, sub), { recursive: true });
  writeFileSync(join(module, 'a'), 'inside');
  writeFileSync(join(module, 'sub/b'), 'below');
  writeFileSync(join(module, 'private/p'), 'hidden');
  writeFileSync(join(out, 'secret'), SECRET);
  writeFileSync(join(dir, 'src/x'), 'new');
  symlinkSync('../out', join(module, 'up'));
  symlinkSync(out, join(module, 'absolute'));
  symlinkSync('../out/secret', join(module, 'tosecret'));
  symlinkSync('sub', join(module, 'near'));
  symlinkSync('a', join(module, 'toa'));
  const open = { path: module, 'read only': 'no', exclude: '/private/', 'munge symlinks': 'no' };
  const daemon = await startDaemon(t, TSRSYNC, {
    dir: join(dir, 'daemon'),
    globals: { 'use chroot': 'no' },
    modules: {
      m: open,
      munged: { ...open, 'munge symlinks': 'yes' },
      ro: { path: module },
    },
  });
  const rsync = (...args: string[]) => {
    const words = args.map((arg) => arg.replace('@', daemon.url('m/')).replace('#', daemon.url('munged/')));
    return run(RSYNC.command, words, { cwd: dir });
  };
  return { dir, module, out, port: daemon.port, log: daemon.log, rsync };
}

function untouched(t: Pick<typeof import('tap').default, 'same' | 'equal' | 'notMatch'>, h: House): void {
  t.same(readdirSync(h.out).sort(), ['dir', 'secret'], 'nothing was made outside');
  t.same(readdirSync(join(h.out, 'dir')), []);
  t.equal(readFileSync(join(h.out, 'secret'), 'latin1'), SECRET);
  t.notMatch(h.log(), /internal error/);
}

t.test('links that lead out are not read through, those that stay inside are', async (t) => {
  const h = await house(t);
  const pulled = await h.rsync('-rL', '@', 'o/');
  t.equal(pulled.code, 23, pulled.stderr);
  const got = join(h.dir, 'o');
  t.equal(readFileSync(join(got, 'toa'), 'latin1'), 'inside');
  t.equal(readFileSync(join(got, 'near/b'), 'latin1'), 'below');
  for (const name of ['up/secret', 'absolute/secret', 'tosecret']) t.notOk(existsSync(join(got, name)), name);
  for (const path of ['up/', 'up/secret', 'up/*', 'absolute/', 'sub/../../out/', '../out/secret']) {
    const done = await h.rsync('-a', `@${path}`, 'o/');
    t.not(done.code, 0, path);
    t.notMatch(done.stdout + done.stderr, SECRET);
  }
  t.notOk(existsSync(join(got, 'secret')));
  untouched(t, h);
});

t.test('a destination behind a link that leads out is refused', async (t) => {
  const h = await house(t);
  for (const path of ['up/', 'up/dir/', 'absolute/dir/', 'up/new/', '../out/']) {
    await h.rsync('-r', 'src/', `@${path}`);
    await h.rsync('-r', '--mkpath', 'src/x', `@${path}deep/er/`);
    untouched(t, h);
  }
  await h.rsync('-a', 'src/x', '@tosecret');
  untouched(t, h);
});

t.test('a destination behind a link that stays inside is used', async (t) => {
  const h = await house(t);
  t.equal((await h.rsync('-a', 'src/', '@near/')).code, 0);
  t.equal(readFileSync(join(h.module, 'sub/x'), 'latin1'), 'new');
});

t.test('-K does not follow a link out of the module', async (t) => {
  const h = await house(t);
  for (const sub of ['tree/up', 'tree/near']) mkdirSync(join(h.dir, sub), { recursive: true });
  writeFileSync(join(h.dir, 'tree/up/y'), 'y');
  writeFileSync(join(h.dir, 'tree/near/y'), 'y');
  await h.rsync('-rK', 'tree/', '@');
  untouched(t, h);
  t.equal(readFileSync(join(h.module, 'sub/y'), 'latin1'), 'y', 'it does follow one inside');
  t.ok(lstatSync(join(h.module, 'near')).isSymbolicLink());
});

t.test('directories that options name stay inside', async (t) => {
  const h = await house(t);
  await h.rsync('-a', 'src/x', '@in/');
  for (const dir of ['/up', 'up', '../up', '/../out', '/absolute', '/up/dir', h.out]) {
    for (const option of [
      '--backup-dir',
      '--temp-dir',
      '--partial-dir',
      '--link-dest',
      '--copy-dest',
      '--compare-dest',
    ]) {
      const backup = option === '--backup-dir' ? ['-b'] : [];
      await h.rsync('-aI', ...backup, `${option}=${dir}`, 'src/x', '@in/');
      untouched(t, h);
    }
    await h.rsync('-aI', '--delay-updates', `--partial-dir=${dir}`, 'src/x', '@in/');
    untouched(t, h);
  }
});

t.test('directories that options name inside work, also through links', async (t) => {
  const h = await house(t);
  await h.rsync('-a', 'src/x', '@prev/');
  symlinkSync('prev', join(h.module, 'latest'));
  for (const dir of ['/prev', '../prev', '/latest', '../latest']) {
    const name = `n${dir.replace(/\W/g, '_')}`;
    const done = await h.rsync('-a', `--link-dest=${dir}`, 'src/x', `@${name}/`);
    t.equal(done.code, 0, done.stderr);
    t.equal(lstatSync(join(h.module, name, 'x')).ino, lstatSync(join(h.module, 'prev/x')).ino, dir);
  }
  t.equal((await h.rsync('-aI', '-b', '--backup-dir=/kept', 'src/x', '@prev/')).code, 0);
  t.equal(readFileSync(join(h.module, 'kept/x'), 'latin1'), 'new');
  t.equal((await h.rsync('-aI', '--temp-dir=/near', 'src/x', '@prev/')).code, 0);
});

t.test('--files-from on the daemon reads nothing outside, and names in it stay inside', async (t) => {
  const h = await house(t);
  for (const list of ['tosecret', 'up/secret', '/../out/secret', '../out/secret', '/etc/passwd', 'private/p']) {
    const done = await h.rsync('-r', `--files-from=:${list}`, '@', 'o/');
    t.not(done.code, 0, list);
    t.notMatch(done.stdout + done.stderr, SECRET);
    t.notMatch(done.stdout + done.stderr, /root:|hidden/);
  }
  writeFileSync(join(h.dir, 'names'), '../out/secret\n/../out/secret\nsub/../../out/secret\nup/secret\nprivate/p\na\n');
  await h.rsync('-r', '--no-R', '--trust-sender', '--files-from=names', '@', 'o/');
  t.same(readdirSync(join(h.dir, 'o')), ['a']);
});

t.test('the links that clients store lead nowhere, or not out', async (t) => {
  const h = await house(t);
  symlinkSync('/etc/passwd', join(h.dir, 'src/absolute'));
  symlinkSync('../../out/secret', join(h.dir, 'src/up'));
  symlinkSync('x', join(h.dir, 'src/fine'));
  t.equal((await h.rsync('-a', 'src/', '#in/')).code, 0);
  t.equal(readlinkSync(join(h.module, 'in/absolute')), '/rsyncd-munged//etc/passwd');
  t.equal(readlinkSync(join(h.module, 'in/up')), '/rsyncd-munged/../../out/secret');
  const back = await h.rsync('-a', '#in/', 'o/');
  t.equal(back.code, 0, back.stderr);
  t.equal(readlinkSync(join(h.dir, 'o/absolute')), '/etc/passwd', 'they come back as they were');
  t.equal((await h.rsync('-a', 'src/', '@bent/')).code, 0);
  t.equal(readlinkSync(join(h.module, 'bent/absolute')), 'etc/passwd');
  t.equal(readlinkSync(join(h.module, 'bent/up')), 'out/secret');
  t.equal(readlinkSync(join(h.module, 'bent/fine')), 'x');
});

t.test('what the module hides is neither read, written, listed, deleted nor used as a basis', async (t) => {
  const h = await house(t);
  for (const args of [
    ['-a', '@private/p'],
    ['-aR', '@private/p'],
    ['-aR', '@./private/p'],
    ['-a', '@private/'],
    ['-a', '@priv*'],
  ]) {
    const done = await h.rsync(...args, 'o/');
    t.notMatch(done.stdout, /hidden/);
    t.same(readdirSync(join(h.dir, 'o')), [], args.join(' '));
  }
  t.notMatch((await h.rsync('-r', '@')).stdout, /private/);
  t.not((await h.rsync('-a', 'src/x', '@private/')).code, 0);
  t.not((await h.rsync('-a', 'src/x', '@private/new/')).code, 0);
  mkdirSync(join(h.dir, 'tree/private'), { recursive: true });
  writeFileSync(join(h.dir, 'tree/private/p'), 'changed');
  await h.rsync('-rI', 'tree/', '@');
  await h.rsync('-rI', '-R', 'tree/./private/p', '@');
  const rejected = await h.rsync('-a', '--copy-dest=/private', 'src/x', '@in/');
  t.match(rejected.stderr, /Your options have been rejected by the server/);
  mkdirSync(join(h.dir, 'empty'));
  await h.rsync('-r', '--delete', 'empty/', '@');
  t.equal(readFileSync(join(h.module, 'private/p'), 'latin1'), 'hidden');
});

t.test('--copy-dirlinks: a directory outside is an error, a link to a file there stays one', async (t) => {
  const h = await house(t);
  const done = await h.rsync('-ak', '@', 'o/');
  t.equal(done.code, 23);
  t.match(done.stderr, /"?up"? \(in m\)\)? failed: Too many levels of symbolic links \(40\)/);
  t.same(readdirSync(join(h.dir, 'o')).sort(), ['a', 'near', 'prev', 'sub', 'toa', 'tosecret']);
  t.equal(readFileSync(join(h.dir, 'o/near/b'), 'latin1'), 'below');
  t.equal(readlinkSync(join(h.dir, 'o/tosecret')), '../out/secret');
});

t.test('read only means that nothing changes', async (t) => {
  const h = await house(t);
  const ro = `rsync://127.0.0.1:${h.port}/ro/`;
  for (const args of [
    ['-a', 'src/', ro],
    ['-a', '--remove-source-files', `${ro}a`, 'o/'],
    ['-rn', '--delete', 'src/', ro],
  ]) {
    const done = await h.rsync(...args);
    t.equal(done.code, 1, done.stderr);
  }
  t.same(readdirSync(h.module).includes('x'), false);
  t.ok(existsSync(join(h.module, 'a')));
});

/** A client of protocol 29 by hand: no negotiation, and its filter rules travel without frames. */
async function rawRules(t: Teardown, port: number, rules: string[]): Promise<string> {
  const peer = await hostileClient(t, port);
  peer.send('@RSYNCD: 29.0\nm\n');
  await peer.line();
  await peer.line();
  peer.send('--server\n--sender\n-r\n.\nm/\n\n');
  for (const rule of rules) {
    const length = Buffer.alloc(4);
    length.writeInt32LE(rule.length);
    peer.send(Buffer.concat([length, Buffer.from(rule, 'latin1')]));
  }
  peer.send(Buffer.alloc(4));
  peer.socket.end();
  return (await peer.rest()).toString('latin1');
}

t.test('rules of a client read no files outside, nor hidden ones', async (t) => {
  const h = await house(t);
  for (const file of ['/etc/passwd', '../out/secret', '/../out/secret', 'tosecret', 'up/secret', 'private/p', h.out]) {
    const answer = await rawRules(t, h.port, [`. ${file}`]);
    t.notMatch(answer, /root:|topsecret|hidden/, file);
    const perDirectory = await rawRules(t, h.port, [`: ${file}`]);
    t.notMatch(perDirectory, /root:|topsecret|hidden/, `: ${file}`);
  }
  const still = await runProgram(RSYNC, [`rsync://127.0.0.1:${h.port}/m/a`]);
  t.equal(still.code, 0);
  untouched(t, h);
});

t.test('a directory that is swapped for a link all the time leads nobody out', async (t) => {
  const h = await house(t);
  mkdirSync(join(h.module, 'race'));
  writeFileSync(join(h.module, 'race/secret'), 'mine');
  mkdirSync(join(h.dir, 'push/race'), { recursive: true });
  writeFileSync(join(h.dir, 'push/race/secret'), 'pushed');
  const loop = 'while :; do mv race r2; ln -s ../out race; rm race; mv r2 race; done';
  let stop = () => {};
  const swapping = run('/bin/sh', ['-c', loop], {
    cwd: h.module,
    started: (child) => {
      stop = () => child.kill('SIGKILL');
    },
  });
  for (let i = 0; i < 8; i++) {
    await h.rsync('-rLI', '--include=/race', '--include=/race/*', '--exclude=*', '@', 'o/');
    const got = join(h.dir, 'o/race/secret');
    if (existsSync(got)) t.not(readFileSync(got, 'latin1'), SECRET);
    await h.rsync('-rI', 'push/', '@');
    await h.rsync('-rI', '--delete', 'push/race/', '@race/');
  }
  stop();
  await swapping;
  untouched(t, h);
});

t.test('a module whose directory was replaced shows the new one', async (t) => {
  const dir = tempDir(t);
  const module = join(dir, 'm');
  mkdirSync(module);
  writeFileSync(join(module, 'old'), '');
  const daemon = await startDaemon(t, TSRSYNC, { dir: join(dir, 'daemon'), modules: { m: { path: module } } });
  t.match((await runProgram(RSYNC, [daemon.url('m/')])).stdout, / old\n/);
  renameSync(module, join(dir, 'before'));
  mkdirSync(module);
  writeFileSync(join(module, 'new'), '');
  const listing = await runProgram(RSYNC, [daemon.url('m/')]);
  t.match(listing.stdout, / new\n/);
  t.notMatch(listing.stdout, / old\n/);
});
