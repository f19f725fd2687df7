import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { diffTrees, readTree } from '../lib/compare.js';
import { freePort, type RunningDaemon, startDaemon } from '../lib/daemon.js';
import { type Program, RSYNC } from '../lib/project.js';
import { normalize, PAIRS } from '../lib/routes.js';
import { type RunResult, runProgram } from '../lib/run.js';
import { type Teardown, tempDir } from '../lib/temp.js';

/** A daemon that says no in every way it can, and the command lines that make it do so. */
interface Refusal {
  name: string;
  /** `url` makes rsync://[USER@]127.0.0.1:PORT/PATH; `src` and `dst` are local folders. */
  args(url: (path: string, user?: string) => string, src: string, dst: string): string[];
  password?: string;
}

const REFUSALS: readonly Refusal[] = [
  { name: 'wrong password, pull', args: (u, _, d) => ['-a', u('secret/', 'joe'), d], password: 'wrong' },
  { name: 'wrong password, push', args: (u, s) => ['-a', `${s}/`, u('secret/', 'joe')], password: 'wrong' },
  { name: 'unknown user', args: (u, _, d) => ['-a', u('secret/', 'nobody-knows'), d], password: 'right' },
  { name: 'user without an entry in the secrets', args: (u) => [u('secret/', 'ann')], password: 'right' },
  { name: 'secrets that others can read', args: (u) => [u('loose/', 'joe')], password: 'right' },
  { name: 'secrets file is missing', args: (u) => [u('unsafe/', 'joe')], password: 'right' },
  { name: 'read-only user pushes', args: (u, s) => ['-a', `${s}/`, u('levels/', 'reader')], password: 'r' },
  { name: 'denied user', args: (u) => [u('levels/', 'evil')], password: 'e' },
  { name: 'unknown module, list', args: (u) => [u('nothing/')] },
  { name: 'unknown module, push', args: (u, s) => ['-a', `${s}/`, u('nothing/x/')] },
  { name: 'denied host', args: (u) => [u('denied/')] },
  { name: 'denied host, push', args: (u, s) => ['-a', `${s}/`, u('denied/')] },
  { name: 'read-only module', args: (u, s) => ['-a', `${s}/`, u('readonly/')] },
  { name: 'read-only module, one file', args: (u, s) => ['-a', join(s, 'file'), u('readonly/new')] },
  { name: 'write-only module', args: (u, _, d) => ['-a', u('writeonly/'), d] },
  { name: 'write-only module, listing', args: (u) => [u('writeonly/')] },
  { name: 'module without its folder', args: (u) => [u('nowhere/')] },
  { name: 'missing path in a module', args: (u, _, d) => ['-a', u('open/none'), d] },
  { name: 'missing path beside a good one', args: (u, _, d) => ['-a', u('open/none'), u('open/file'), d] },
  { name: 'path out of the module', args: (u, _, d) => ['-a', u('open/../../etc/passwd'), d] },
  { name: 'excluded by the daemon, pull', args: (u, _, d) => ['-a', u('filtered/file.secret'), d] },
  { name: 'excluded by the daemon, push', args: (u, s) => ['-av', join(s, 'file.secret'), u('filtered/')] },
  { name: 'refused option', args: (u, s) => ['-a', '--delete', `${s}/`, u('refusing/')] },
  { name: 'refused compression', args: (u, s) => ['-az', `${s}/`, u('refusing/')] },
  { name: 'refused checksum', args: (u, s) => ['-ac', `${s}/`, u('refusing/')] },
  { name: 'no module but a path', args: (u, _, d) => ['-a', u('/file'), d] },
  { name: 'missing source, push', args: (u, s) => ['-a', join(s, 'none'), u('open/')] },
  { name: 'two remote ends', args: (u) => ['-a', u('open/file'), u('open/other')] },
  { name: 'destination is a file', args: (u, s) => ['-a', `${s}/`, u('open/file')] },
  { name: 'no common checksum', args: (u, _, d) => ['-a', '--checksum-choice=nonsense', u('open/'), d] },
];

function makeFolder(dir: string): string {
  mkdirSync(join(dir, 'inner'), { recursive: true });
  for (const name of ['file', 'file.secret', 'inner/deep']) writeFileSync(join(dir, name), `content of ${name}\n`);
  return dir;
}

function startRefusing(t: Teardown, program: Program, dir: string): Promise<RunningDaemon> {
  const path = makeFolder(join(dir, 'data'));
  const secrets = join(dir, 'conf', 'secrets');
  const loose = join(dir, 'loose');
  writeFileSync(loose, 'joe:right\n', { mode: 0o644 });
  const open = { path, 'read only': 'no' };
  return startDaemon(t, program, {
    dir: join(dir, 'conf'),
    secrets: ['joe:right', 'reader:r', 'evil:e'],
    modules: {
      open,
      readonly: { path, comment: 'only to read' },
      writeonly: { ...open, 'write only': 'yes' },
      secret: { ...open, 'auth users': 'joe, ann', 'secrets file': secrets },
      levels: { ...open, 'auth users': 'reader:ro, evil:deny, joe', 'secrets file': secrets },
      loose: { ...open, 'auth users': 'joe', 'secrets file': loose },
      unsafe: { ...open, 'auth users': 'joe', 'secrets file': join(dir, 'none') },
      denied: { ...open, 'hosts deny': '*' },
      nowhere: { path: join(dir, 'nowhere') },
      filtered: { ...open, exclude: '*.secret' },
      refusing: { ...open, 'refuse options': 'delete compress c*' },
      hidden: { path, list: 'no' },
    },
  });
}

/** Runs every refusal between two programs, each against an untouched copy of the same folders. */
async function runAll(t: Teardown, client: Program, server: Program): Promise<{ results: RunResult[]; dir: string }> {
  const dir = tempDir(t);
  const daemon = await startRefusing(t, server, dir);
  const src = makeFolder(join(dir, 'src'));
  const dst = join(dir, 'dst');
  mkdirSync(dst);
  const results: RunResult[] = [];
  for (const refusal of REFUSALS) {
    const args = refusal.args((path, user) => daemon.url(path, user), src, dst);
    results.push(await runProgram(client, args, { cwd: dir, env: { RSYNC_PASSWORD: refusal.password } }));
  }
  results.push(await runProgram(client, [daemon.url('')], { cwd: dir }));
  return { results, dir };
}

/** Text without what differs by folder, port and process, and without the echo of a connection that was just closed. */
function plain(text: string, dir: string): string {
  return normalize(text)
    .replace(/^rsync: \[\w+\] read error: Connection reset by peer \(104\)\n/gm, '')
    .replaceAll(dir, 'DIR')
    .replace(/127\.0\.0\.1:\d+/g, 'HOST')
    .replace(/connection unexpectedly closed \(\d+ bytes/g, 'connection unexpectedly closed (N bytes')
    .replace(/mkstemp "([^"]*)\.\w{6}"/g, 'mkstemp "$1.XXXXXX"');
}

t.test('refusals, messages and exit codes', { timeout: 200_000 }, async (t) => {
  const untouched = readTree(makeFolder(join(tempDir(t), 'data')));
  const expected = await runAll(t, RSYNC, RSYNC);
  for (const { client, server } of PAIRS) {
    await t.test(`${client.name} client, ${server.name} daemon`, async (t) => {
      const actual = await runAll(t, client, server);
      for (const [index, want] of expected.results.entries()) {
        const name = REFUSALS[index]?.name ?? 'list of modules';
        const have = actual.results[index];
        t.equal(have.code, want.code, `${name}: exit code`);
        t.equal(plain(have.stderr, actual.dir), plain(want.stderr, expected.dir), `${name}: stderr`);
        t.equal(plain(have.stdout, actual.dir), plain(want.stdout, expected.dir), `${name}: stdout`);
      }
      const after = readTree(join(actual.dir, 'data'));
      t.same(diffTrees(untouched, after, { times: false }), [], 'nothing was changed');
    });
  }
});

t.test('nobody listens', async (t) => {
  const port = await freePort();
  const args = ['-a', `rsync://127.0.0.1:${port}/m/`, tempDir(t)];
  const expected = await runProgram(RSYNC, args);
  const actual = await runProgram(PAIRS[0].client, args);
  t.equal(actual.code, expected.code);
  t.equal(normalize(actual.stderr), normalize(expected.stderr));
});
