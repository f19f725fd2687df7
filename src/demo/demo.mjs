// The demonstration behind `npm start`: a daemon on a free loopback port with a configuration, a module, a user and a
// secrets file in a folder of its own, a push and a pull of this project's sources, and a comparison.
import { spawn } from 'node:child_process';
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { root } from '../../test/prepare.mjs';

const command = join(root, 'dist/tsrsync.js');
const USER = 'demo';
const PASSWORD = 'a password of this demonstration only';
const START_TIMEOUT_MS = 10_000;

/** Runs tsrsync with the terminal's own input and output; its exit code. */
function tsrsync(args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [command, ...args], { stdio: 'inherit', env: { ...process.env, ...env } });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** The user's own copy: `npm start -- SRC DEST`, with -av when no option was given. */
export function copyOwn(args) {
  const options = args.some((arg) => arg.startsWith('-')) ? [] : ['-av', '--info=progress2'];
  console.log(`$ tsrsync ${[...options, ...args].join(' ')}`);
  return tsrsync([...options, ...args]);
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Everything a daemon needs, in one folder. */
function configure(dir, port) {
  mkdirSync(join(dir, 'backup'));
  writeFileSync(join(dir, 'secrets'), `${USER}:${PASSWORD}\n`, { mode: 0o600 });
  // Root's daemon would give the module to "nobody", who may not write into this folder.
  const identity = process.getuid() === 0 ? 'uid = root\ngid = root\n' : '';
  const config = `port = ${port}
address = 127.0.0.1
use chroot = no
log file = ${join(dir, 'log')}
${identity}
[backup]
  comment = what the demonstration pushes
  path = ${join(dir, 'backup')}
  read only = no
  auth users = ${USER}
  secrets file = ${join(dir, 'secrets')}
`;
  writeFileSync(join(dir, 'rsyncd.conf'), config);
  return config;
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

async function startDaemon(dir, port) {
  const args = [command, '--daemon', '--no-detach', `--config=${join(dir, 'rsyncd.conf')}`];
  const daemon = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await canConnect(port))) {
    if (daemon.exitCode !== null || Date.now() > deadline) throw new Error('the daemon did not start');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return daemon;
}

function stop(daemon) {
  return new Promise((resolve) => {
    if (daemon.exitCode !== null) return resolve();
    daemon.once('exit', resolve);
    daemon.kill('SIGTERM');
  });
}

/** The sources of this project: a real tree of some hundred files. */
function copySources(to) {
  for (const name of ['src', 'protocol', 'test', 'package.json', 'package-lock.json', 'tsconfig.json']) {
    cpSync(join(root, name), join(to, name), { recursive: true, preserveTimestamps: true });
    for (const dir of directoriesOf(name)) {
      const { atime, mtime } = lstatSync(join(root, dir));
      utimesSync(join(to, dir), atime, mtime);
    }
  }
}

/** `name` and the directories below it, the deepest first; none when it is a file. */
function directoriesOf(name) {
  if (!lstatSync(join(root, name)).isDirectory()) return [];
  const below = readdirSync(join(root, name)).flatMap((entry) => directoriesOf(join(name, entry)));
  return [...below, name];
}

/** Names below `dir` with what a copy must keep of them. */
function describe(dir) {
  const found = new Map();
  for (const name of readdirSync(dir, { recursive: true })) {
    const path = join(dir, name);
    const st = lstatSync(path);
    const content = st.isFile() ? readFileSync(path, 'latin1') : '';
    found.set(relative(dir, path), `${st.mode} ${st.mtimeMs} ${content}`);
  }
  return found;
}

function differences(a, b) {
  const [first, second] = [describe(a), describe(b)];
  const names = new Set([...first.keys(), ...second.keys()]);
  return { count: names.size, different: [...names].filter((name) => first.get(name) !== second.get(name)) };
}

function heading(text) {
  console.log(`\n=== ${text}\n`);
}

async function step(text, args, env) {
  heading(text);
  console.log(`$ tsrsync ${args.join(' ')}\n`);
  const code = await tsrsync(args, env);
  if (code !== 0) throw new Error(`tsrsync ended with exit code ${code}`);
}

async function rounds(dir, url) {
  const env = { RSYNC_PASSWORD: PASSWORD };
  const source = join(dir, 'source');
  const back = join(dir, 'back');
  await step('What the daemon offers', [url]);
  const push = ['-az', '--delete', '-i', '--info=progress2', '--stats', `${source}/`, `${url}backup/`];
  await step('Push, with authentication and compression', push, env);
  const file = join(source, 'package.json');
  writeFileSync(file, `${readFileSync(file, 'utf8')}\n`);
  rmSync(join(source, 'tsconfig.json'));
  await step('One file changed, one removed: push again', push, env);
  await step('Pull it back', ['-az', '--info=progress2', '--stats', `${url}backup/`, `${back}/`], env);
  const { count, different } = differences(source, back);
  if (different.length > 0) throw new Error(`the copies differ: ${different.join(', ')}`);
  heading('Compared');
  console.log(`${count} names: the same content, modes and times on both sides.`);
}

const GO_ON = `
Your own folders:
  npm start -- SRC DEST                     a copy on this machine (or to host:path, host::module, rsync://...)
  npm start -- -avz --delete SRC/ user@host::module/path/
Without npm in front (after "npm link", or with the path of dist/tsrsync.js):
  tsrsync -avz SRC/ user@host::module       any rsync command line
  tsrsync --daemon --config=rsyncd.conf     a daemon for rsync and tsrsync clients
README.md has the recipes.
`;

/** Shows the whole round; 0 when all of it worked. */
export async function demonstrate() {
  const dir = mkdtempSync(join(tmpdir(), 'tsrsync-demo-'));
  let daemon;
  try {
    const port = await freePort();
    heading(`A daemon on port ${port} with this configuration (${dir})`);
    console.log(configure(dir, port));
    daemon = await startDaemon(dir, port);
    mkdirSync(join(dir, 'source'));
    copySources(join(dir, 'source'));
    await rounds(dir, `rsync://${USER}@127.0.0.1:${port}/`);
    console.log(GO_ON);
    return 0;
  } catch (error) {
    console.error(`\nThe demonstration failed: ${error.message}`);
    return 1;
  } finally {
    if (daemon) await stop(daemon);
    rmSync(dir, { recursive: true, force: true });
  }
}
