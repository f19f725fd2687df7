import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Params, type RunningDaemon, startDaemon } from '../lib/daemon.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { type RunResult, runProgram, shellQuote } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

t.setTimeout(200_000);

/** Tells what it is and what it sees; the second argument is a command that decides how it ends. */
const HOOK = `{ echo "== $1"; env | LC_ALL=C grep -a '^RSYNC_' | LC_ALL=C sort; printf 'reads: '; cat; echo; } >> "$HOOK_OUT"
(eval "$2")
status=$?
echo "-- $1" >> "$HOOK_OUT"
exit $status
`;
const BYTES = "caf\xe9 $(touch PWNED) '; touch PWNED";

interface Place {
  dir: string;
  daemon: RunningDaemon;
  /** What hooks have written since the last call, when `last` is over. */
  said(last: string): Promise<string>;
}

async function place(t: Test, server: Program, modules: Record<string, Params>): Promise<Place> {
  const dir = tempDir(t);
  const path = join(dir, 'module');
  for (const name of [path, join(path, 'sub'), join(dir, 'copy')]) mkdirSync(name);
  for (const name of ['one', 'two', 'sub/three']) writeFileSync(join(path, name), name);
  writeFileSync(join(dir, 'hook'), HOOK);
  writeFileSync(join(dir, 'early'), Buffer.from('early\xff input\n', 'latin1'));
  writeFileSync(join(dir, 'password'), 'pw\n', { mode: 0o600 });
  const out = join(dir, 'said');
  const secretsFile = join(dir, 'daemon', 'secrets');
  const hook = (name: string, end = 'true') => `/bin/sh ${dir}/hook '${name}' ${shellQuote(end)}`;
  const filled = Object.entries(modules).map(([name, params]) => {
    const own: Params = { path, 'read only': 'no', 'secrets file': secretsFile };
    for (const [key, value] of Object.entries(params)) {
      own[key] =
        / exec$/.test(key) && !`${value}`.startsWith('!') ? hook(key, `${value}`) : `${value}`.replace('!', '');
    }
    return [name, own];
  });
  const daemon = await startDaemon(t, server, {
    dir: join(dir, 'daemon'),
    modules: Object.fromEntries(filled),
    secrets: ['joe:pw', 'touc?:pw', '$(id):pw', 'a;b:pw', "x'y:pw"],
    env: { HOOK_OUT: out, RSYNC_MODULE_PATH: '/inherited', RSYNC_MODULE_NAME: 'inherited' },
  });
  let read = 0;
  const said = async (last: string) => {
    const text = () => (existsSync(out) ? readFileSync(out, 'latin1').slice(read) : '');
    await waitFor(() => text().includes(`-- ${last}\n`), 30_000, `${last} of ${server.name}`);
    const found = text();
    read += found.length;
    return found.replaceAll(dir, 'DIR').replace(/RSYNC_PID=\d+/g, 'RSYNC_PID=N');
  };
  return { dir, daemon, said };
}

/** What a client says of a refused transfer, without what only some runs say, and the place in the program. */
function complaint({ stderr }: RunResult): string {
  return stderr
    .replace(/^rsync: .*(read error: Connection reset|connection unexpectedly closed).*\n/gm, '')
    .replace(/^rsync error: .*\n/gm, '');
}

t.test('what hooks see is what rsync shows them, whoever the client is', async (t) => {
  const seen = new Map<string, string>();
  for (const server of [RSYNC, TSRSYNC]) {
    const all = { 'early exec': 'true', 'pre-xfer exec': 'echo unheard', 'post-xfer exec': 'true' };
    const { dir, daemon, said } = await place(t, server, {
      rooted: { ...all, 'use chroot': 'yes' },
      plain: { ...all, 'use chroot': 'no', 'auth users': 'joe' },
    });
    for (const client of [RSYNC, TSRSYNC]) {
      const who = `${client.name} to ${server.name}`;
      const at = (path: string) => daemon.url(path, 'joe');
      const runs: [string, string[]][] = [
        ['pull', [`--early-input=${dir}/early`, at('rooted/sub/../o*'), at('rooted/./two'), at('rooted')]],
        ['secluded', ['-s', at('plain/sub/'), at('plain/no*ne'), at('plain')]],
      ];
      const password = `--password-file=${dir}/password`;
      for (const [name, args] of runs) {
        const result = await runProgram(client, ['-a', password, ...args, `${dir}/copy/`]);
        t.equal(result.code, name === 'pull' ? 0 : 23, `${who}: ${name}`);
        t.notMatch(result.stdout + result.stderr, 'unheard', 'the output of a hook that succeeds');
        const text = await said('post-xfer exec');
        if (!seen.has(name)) seen.set(name, text);
        t.equal(text, seen.get(name), `${who}: ${name}`);
      }
      const push = ['-s', '-a', password, `${dir}/early`, at(`plain/${BYTES}`)];
      t.equal((await runProgram(client, push)).code, 0, `${who}: a name that is no text`);
      t.match(await said('post-xfer exec'), `RSYNC_REQUEST=plain/${BYTES}\n`, who);
    }
    t.notOk(existsSync('PWNED') || existsSync(join(dir, 'PWNED')));
  }
  t.match(seen.get('pull'), /reads: early\xff input\n[\s\S]*RSYNC_ARG5=\/one\nRSYNC_ARG6=\/\.\/two\nRSYNC_ARG7=\/\n/);
  t.match(seen.get('secluded'), /RSYNC_EXIT_STATUS=23\n[\s\S]*RSYNC_RAW_STATUS=5888\n/);
});

t.test('a hook that fails ends the transfer before it begins', async (t) => {
  const seen = new Map<string, unknown>();
  for (const server of [RSYNC, TSRSYNC]) {
    const post = { 'post-xfer exec': 'exit 9' };
    const { dir, daemon, said } = await place(t, server, {
      early: { 'early exec': 'echo unheard; exit 3', 'pre-xfer exec': 'true', ...post },
      pre: { 'pre-xfer exec': "printf 'no\\r\\nway'; exit 3", ...post },
      silent: { 'pre-xfer exec': 'false', ...post },
      devices: { 'pre-xfer exec': 'read x < /dev/stdin; echo $x opened > /dev/stdout; exit 1', ...post },
      killed: { 'pre-xfer exec': 'kill -9 $$', ...post },
      flood: { 'pre-xfer exec': 'yes 123456789; exit 1', ...post },
      gone: { path: join(tempDir(t), 'none'), ...post },
    });
    for (const client of server === RSYNC ? [RSYNC] : [RSYNC, TSRSYNC]) {
      for (const module of ['early', 'pre', 'silent', 'devices', 'killed', 'flood', 'gone']) {
        const result = await runProgram(client, ['-a', `${dir}/early`, daemon.url(`${module}/new/`)]);
        const statuses = (await said('post-xfer exec')).match(/RSYNC_(RAW|EXIT)_STATUS=.*/g);
        const outcome = { code: result.code, text: complaint(result), statuses };
        if (!seen.has(module)) seen.set(module, outcome);
        t.same(outcome, seen.get(module), `${module}: ${client.name} to ${server.name}`);
      }
    }
    t.notOk(existsSync(join(dir, 'module', 'new')));
  }
  t.match(seen.get('pre'), { code: 4, text: 'pre-xfer exec returned failure (768):\nno\nway\n' });
});

t.test('a value that a shell could act on is refused', async (t) => {
  for (const server of [RSYNC, TSRSYNC]) {
    const common = { 'auth users': '*', 'post-xfer exec': 'true' };
    const { dir, daemon, said } = await place(t, server, {
      bare: { ...common, 'pre-xfer exec': '!echo "== got" %RSYNC_USER_NAME% "-- pre" >> "$HOOK_OUT"' },
      quoted: { ...common, 'pre-xfer exec': `!sh -c 'echo "== got" %RSYNC_USER_NAME% >> "$HOOK_OUT"'` },
    });
    const users = server === RSYNC ? ['touc?'] : ['touc?', '$(id)', 'a;b', "x'y"];
    const push = (user: string, module: string) =>
      runProgram(TSRSYNC, ['-a', `--password-file=${dir}/password`, `${dir}/early`, daemon.url(`${module}/`, user)]);
    for (const module of ['bare', 'quoted']) {
      t.equal((await push('joe', module)).code, 0, `${server.name}: ${module}`);
      t.match(await said('post-xfer exec'), '== got joe', 'a harmless value comes as it is');
      for (const user of users) {
        const result = await push(user, module);
        t.match(result, { code: 5, stderr: "rsync: didn't get server startup line" }, `${server.name}: ${user}`);
      }
    }
    const refusals = daemon.log().match(/refusing to run shell hook: %RSYNC_USER_NAME% holds a shell metacharacter/g);
    t.equal(refusals?.length, 2 * users.length, server.name);
    t.equal(daemon.log().match(/requested action not supported \(code 4\)/g)?.length, 2 * users.length);
  }
});

t.test('--early-input: what is wrong with the file', async (t) => {
  const { dir, daemon } = await place(t, RSYNC, { m: { comment: 'c' } });
  writeFileSync(join(dir, 'large'), 'x'.repeat(5121));
  for (const name of ['none', 'large']) {
    const [real, ours] = await Promise.all(
      [RSYNC, TSRSYNC].map((client) => runProgram(client, [`--early-input=${dir}/${name}`, daemon.url('m/')])),
    );
    t.equal(ours.code, 5, name);
    t.same([ours.code, ours.stderr.split('\n')[0]], [real.code, real.stderr.split('\n')[0]], name);
  }
  const folder = await runProgram(TSRSYNC, [`--early-input=${dir}`, daemon.url('m/')]);
  t.match(folder, { code: 5, stderr: `failed to read ${dir}: Is a directory (21)` });
  t.match(await runProgram(TSRSYNC, [`--early-input=${dir}/early`, daemon.url('')]), { code: 0, stdout: 'm   ' });
});
