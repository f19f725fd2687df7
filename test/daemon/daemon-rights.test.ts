import { appendFileSync, chmodSync, chownSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { type RunningDaemon, startDaemon } from '../lib/daemon.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

const NEEDS_ROOT = process.getuid?.() !== 0 && 'needs root';
const UID = 4321;
const GID = 4322;

/** A root directory for a daemon, with users of its own. */
function makeRoot(t: Test): string {
  const root = tempDir(t);
  chmodSync(root, 0o755);
  for (const dir of ['etc', 'mod', 'in', 'run', 'closed']) mkdirSync(`${root}/${dir}`);
  writeFileSync(`${root}/etc/passwd`, `inside:x:${UID}:${GID}::/:/bin/false\n`);
  writeFileSync(`${root}/etc/group`, `insiders:x:${GID}:\n`);
  writeFileSync(`${root}/motd`, 'a message of the inside\n');
  writeFileSync(`${root}/secrets`, 'joe:secret\n', { mode: 0o600 });
  writeFileSync(`${root}/mod/file`, 'content');
  writeFileSync(`${root}/closed/file`, 'content');
  for (const name of ['mod/file', 'in', 'run']) chownSync(`${root}/${name}`, UID, GID);
  chmodSync(`${root}/closed`, 0o700);
  return root;
}

async function start(t: Test, program: Program, root: string, globals: Record<string, string>): Promise<RunningDaemon> {
  if (globals['daemon uid']) chownSync(`${root}/secrets`, UID, GID);
  const modules = {
    m: { path: '/mod' },
    in: { path: '/in', 'read only': 'no', 'auth users': 'joe', 'secrets file': '/secrets' },
    closed: { path: '/closed' },
    rooted: { path: '/mod', 'use chroot': 'yes' },
  };
  const inside = { 'motd file': '/motd', 'lock file': '/run/lock', 'max connections': '3', 'use chroot': 'unset' };
  const ids = { uid: globals['daemon uid'] ? '' : '0', gid: globals['daemon uid'] ? '' : '0' };
  const dir = tempDir(t);
  return startDaemon(t, program, { dir, modules, globals: { 'daemon chroot': root, ...ids, ...inside, ...globals } });
}

const ask = (daemon: RunningDaemon, path: string, args: string[] = []) =>
  run('rsync', [...args, daemon.url(path)], { env: { RSYNC_PASSWORD: 'secret' } });

/** What clients of all kinds get to see. */
async function visits(t: Test, program: Program, globals: Record<string, string>) {
  const root = makeRoot(t);
  const daemon = await start(t, program, root, globals);
  const seen: string[] = [];
  for (const path of ['', 'm/', 'rooted/', 'closed/', 'nowhere/']) {
    const { code, stdout, stderr } = await ask(daemon, path, ['-r']);
    const errors = stderr
      .split('\n')
      .filter((line) => !/^rsync( error)?: (error|connection|\[Receiver\] read)/.test(line));
    seen.push(`${path} ${code === 0}\n${stdout}${errors.join('\n')}`.replace(/[\d,]+ 20.{17}/g, '*'));
  }
  const names = tempDir(t);
  const pull = await run('rsync', ['-rog', '--out-format=%n %U', daemon.url('m/'), `${names}/`]);
  const got = lstatSync(`${names}/file`);
  seen.push(`${pull.code} ${got.uid}:${got.gid}`);
  writeFileSync(`${names}/pushed`, 'new');
  const url = daemon.url('in/', 'joe');
  const push = await run('rsync', ['-r', `${names}/pushed`, url], { env: { RSYNC_PASSWORD: 'secret' } });
  const pushed = lstatSync(`${root}/in/pushed`);
  seen.push(`${push.code} ${pushed.uid}:${pushed.gid}`);
  const lock = lstatSync(`${root}/run/lock`);
  seen.push(`lock ${lock.uid}:${lock.gid}`);
  return seen;
}

for (const globals of [
  { 'daemon uid': 'inside', 'daemon gid': 'insiders' },
  { 'daemon gid': 'insiders' },
  { 'daemon chroot': '', 'daemon uid': String(UID) },
  {},
] as Record<string, string>[]) {
  t.test(`daemon rights ${JSON.stringify(globals)}`, { skip: NEEDS_ROOT }, async (t) => {
    if (globals['daemon chroot'] === '') {
      // Without a root of its own there is just another user.
      for (const program of [RSYNC, TSRSYNC]) {
        const root = makeRoot(t);
        const modules = { in: { path: `${root}/in`, 'read only': 'no' } };
        const ids = { uid: '', gid: '', 'use chroot': 'no' };
        const set = { 'daemon uid': String(UID), 'daemon gid': String(GID) };
        const daemon = await startDaemon(t, program, { dir: tempDir(t), modules, globals: { ...ids, ...set } });
        const { code, stderr } = await run('rsync', [`${root}/motd`, daemon.url('in/')]);
        t.equal(code, 0, stderr);
        t.match(lstatSync(`${root}/in/motd`), { uid: UID, gid: GID }, program.name);
      }
      return;
    }
    t.same(await visits(t, TSRSYNC, globals), await visits(t, RSYNC, globals));
  });
}

t.test('rights that are not to be had', { skip: NEEDS_ROOT }, async (t) => {
  for (const globals of [
    { 'daemon gid': 'nosuchgroup' },
    { 'daemon uid': 'nosuchuser' },
    { 'daemon chroot': '/no/such/place' },
  ] as Record<string, string>[]) {
    const said: string[] = [];
    for (const program of [RSYNC, TSRSYNC]) {
      const daemon = await start(t, program, makeRoot(t), globals);
      for (let i = 0; i < 2; i++) t.not((await ask(daemon, '')).code, 0, 'nobody is served');
      const about = /^.*\] (.*(?:Invalid daemon|daemon chroot).*)$/gm;
      await waitFor(() => [...daemon.log().matchAll(about)].length >= 2, 10_000, 'the log');
      said.push([...daemon.log().matchAll(about)].map(([, text]) => text).join('\n'));
    }
    t.equal(said[1], said[0], JSON.stringify(globals));
  }
});

t.test('a configuration that changes outside', { skip: NEEDS_ROOT }, async (t) => {
  const daemon = await start(t, TSRSYNC, makeRoot(t), { 'daemon uid': 'inside' });
  t.notMatch((await ask(daemon, '')).stdout, /later/);
  appendFileSync(`${daemon.secretsFile.replace(/secrets$/, '')}rsyncd.conf`, '\n[later]\npath = /mod\n');
  t.match((await ask(daemon, '')).stdout, /later/);
  t.match((await ask(daemon, 'later/')).stdout, /file/);
});
