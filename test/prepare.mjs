// What `npm start`, `npm test` and `npm run bench` need before they can begin. Runs on a fresh clone, so it uses
// nothing but Node itself.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs a command in the project's folder, its output shown; returns its exit code. */
export function show(command, args, options = {}) {
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (done.error) throw done.error;
  return done.status ?? 1;
}

/** Installs the packages of package-lock.json when they are missing or older than it. */
export function installPackages() {
  const installed = join(root, 'node_modules/.package-lock.json');
  const lock = join(root, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  if (existsSync(installed) && show('npm', ['ls', '--silent'], { stdio: 'ignore' }) === 0) return;
  console.log('Installing the packages (npm install) ...');
  // Not `npm ci`: it fails where a registry lacks the packages of other platforms, which nobody needs here.
  const install = ['install', '--no-save', '--no-audit', '--no-fund'];
  if (show('npm', install) !== 0) throw new Error('npm install failed');
}

/** Bundles the command, the worker and the library. */
export function build(args = []) {
  if (show(process.execPath, ['build.mjs', ...args]) !== 0) throw new Error('the build failed');
}

/** Compiles everything, tests included, to build/. Type errors are shown; what can run is written all the same. */
export function compile() {
  return show(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']) === 0;
}

function found(command) {
  const dirs = (process.env.PATH ?? '').split(':');
  return dirs.some((dir) => existsSync(join(dir, command)));
}

/** Programs that the tests hold this one against, and the Debian packages they come from. */
const TOOLS = { rsync: 'rsync', setfacl: 'acl', setfattr: 'attr', chromium: 'chromium' };

/** Programs that live mirroring is measured against. */
export const MIRROR_TOOLS = { lsyncd: 'lsyncd', inotifywait: 'inotify-tools' };

/** Installs what is missing of the tests' tools and of `more` when we may; returns why not, or ''. */
export function installTools(more = {}) {
  const tools = { ...TOOLS, ...more };
  const missing = Object.keys(tools).filter((command) => !found(command));
  if (missing.length === 0) return '';
  const packages = missing.map((command) => tools[command]);
  const advice = `missing: ${missing.join(', ')}; install with: apt-get install ${packages.join(' ')}`;
  if (process.getuid() !== 0) return `${advice} (not done here: only root may)`;
  if (!found('apt-get')) return `${advice} (not done here: this system has no apt-get)`;
  console.log(`Installing ${packages.join(' ')} (apt-get) ...`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '-q', '--no-install-recommends', ...packages];
  if (show('apt-get', install, { env }) === 0) return '';
  show('apt-get', ['update', '-q'], { env });
  return show('apt-get', install, { env }) === 0 ? '' : `${advice} (apt-get failed)`;
}
