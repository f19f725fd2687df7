// Builds dist/: `node build.mjs [--types] [--no-cache]`.
//
//   dist/tsrsync.js    the command: a launcher of a few lines over main.bundle.cjs
//   dist/worker.js     what the daemon forks: the same over worker.bundle.cjs
//   dist/tsrsync-live.js, dist/live-page.html
//                      the live service over live.bundle.cjs, and the page it shows
//   dist/index.mjs     the library
//   dist/iconv.cjs     what --iconv needs, which is as large as all the rest, and loads alone
//   dist/types/        its declarations (--types, and before publishing; dist/ is emptied first then)
//   dist/licences.txt  of the packages that are in the bundles
//
// Why a launcher: Node needs about 50 ms for nothing, loading our code as an ES module 17 ms on top, as one CommonJS
// file 13 ms, and from V8's code cache 5 ms. What V8 has compiled is kept here after a run of each kind: V8 reads a
// cache whole, so that what another kind of run needs would only cost time. The launcher guesses the kind; a wrong guess
// only means that V8 compiles more. Another version of Node rejects the caches by itself and compiles as usual.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { licenceText } from './src/packaging/licences.mjs';

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, 'dist');

/**
 * Names of the launchers, the sources of their bundles, whether what a run may not need is loaded late (a worker has to
 * have everything before it changes its root directory), and whether there are caches for its kinds of runs.
 */
const PROGRAMS = [
  { name: 'tsrsync', bundle: 'main', source: 'src/main.ts', late: true, cached: true },
  { name: 'tsrsync-live', bundle: 'live', source: 'src/live-service/main.ts', late: false, cached: false },
  { name: 'tsinotifywait', bundle: 'wait', source: 'src/inotify-tools/wait-main.ts', late: false, cached: false },
  { name: 'tsinotifywatch', bundle: 'watch', source: 'src/inotify-tools/watch-main.ts', late: false, cached: false },
  { name: '', bundle: 'file-thread', source: 'src/files/thread/thread-main.ts', late: false, cached: false },
  { name: '', bundle: 'codec-thread', source: 'src/codec/thread/thread-main.ts', late: false, cached: false },
  { name: '', bundle: 'lookout-thread', source: 'src/sending/lookout/main.ts', late: false, cached: false },
  { name: '', bundle: 'sum-thread', source: 'src/receiving/basis/sum-thread-main.ts', late: false, cached: false },
  { name: 'worker', bundle: 'worker', source: 'src/daemon/workers/main.ts', late: false, cached: true },
];

/**
 * hash-wasm holds 27 algorithms, 260 KB; only those that the protocol names are bundled. They are imported dynamically,
 * where esbuild cannot see by itself which ones are used.
 */
const slimHashes = {
  name: 'slim-hashes',
  setup(build) {
    const used = new Set();
    for (const file of readdirSync(join(root, 'protocol/hash'))) {
      const text = readFileSync(join(root, 'protocol/hash', file), 'utf8');
      for (const [name] of text.matchAll(/\bcreate(MD|SHA|XXHash)\w+/g)) used.add(name);
    }
    const path = join(root, 'node_modules/hash-wasm/dist/index.esm.js');
    const contents = `export { ${[...used].join(', ')} } from ${JSON.stringify(path)};`;
    build.onResolve({ filter: /^hash-wasm$/ }, () => ({ path: 'hash-wasm', namespace: 'slim' }));
    build.onLoad({ filter: /.*/, namespace: 'slim' }, () => ({ contents, resolveDir: root }));
  },
};

/** Node's own modules that not every run needs, of 1 to 6 ms each: the command loads one when it is first used. */
const LAZY = new Set(['child_process', 'crypto', 'dns', 'module', 'net', 'tty', 'worker_threads', 'zlib']);

/**
 * What esbuild puts around each `import` of one of Node's modules makes a getter for each of its exports, in each module
 * that imports it: 2 ms of a start. So each of Node's modules is one of the bundle's own, whose exports are what they are.
 */
const builtins = (isLate) => ({
  name: 'builtins',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin', sideEffects: false } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, async ({ path }) => {
      const write = isLate && LAZY.has(path.slice('node:'.length)) ? lazyModule : plainModule;
      return { contents: write(path, await import(path)) };
    });
  },
});

/** The package's tables are read when a run asks for them. */
const iconvApart = {
  name: 'iconv-apart',
  setup(build) {
    build.onResolve({ filter: /^iconv-lite$/ }, () => ({ path: './iconv.cjs', external: true }));
  },
};

function exportsOf(exports) {
  return Object.entries(exports).filter(([name]) => name !== 'default');
}

/** A module with the exports of one of Node's; what nobody imports is left out. */
function plainModule(path, exports) {
  const lines = [`const lib = require('${path}');`, 'const part = (key) => lib[key];', 'export default lib;'];
  for (const [name] of exportsOf(exports)) lines.push(`export const ${name} = /* @__PURE__ */ part('${name}');`);
  return lines.join('\n');
}

/** The same, which loads the module when one of its exports is used. */
function lazyModule(path, exports) {
  const lines = [
    `let loaded; const lib = () => (loaded ??= require('${path}'));`,
    'const part = (of) => new Proxy({}, { get: (_, key) => of()[key] });',
    'export default part(lib);',
  ];
  for (const [name, value] of exportsOf(exports)) {
    const call = `new.target ? new (lib().${name})(...args) : lib().${name}(...args)`;
    if (typeof value === 'function') lines.push(`export function ${name}(...args) { return ${call}; }`);
    else lines.push(`export const ${name} = part(() => lib().${name});`);
  }
  return lines.join('\n');
}

/** Around a bundle that a launcher runs, in its file: to put it around the text costs a copy at each start. */
const HEAD = '(function (exports, require, module, __filename, __dirname) {';
const FOOT = '})';
/** Node's `pathToFileURL` takes a millisecond to load. */
const MODULE_URL = "const importMetaUrl = 'file://' + encodeURI(__filename).replace(/[?#]/g, encodeURIComponent);";
const isLaunched = (bundle) => PROGRAMS.some((program) => program.bundle === bundle && program.name !== '');

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  external: ['koffi'],
  // The launchers read their bundle as latin1, which V8 keeps at one byte a character.
  charset: 'ascii',
  plugins: [slimHashes, iconvApart],
  legalComments: 'none',
  logLevel: 'warning',
};

function newest(dir) {
  let time = 0;
  for (const entry of readdirSync(dir, { recursive: true })) time = Math.max(time, statSync(join(dir, entry)).mtimeMs);
  return time;
}

/** The kernels are kept compiled in the repository; this is for those who change their sources. */
function buildKernel() {
  const kernel = join(root, 'protocol/kernel');
  const generated = join(kernel, 'bytes.gen.ts');
  if (existsSync(generated) && newest(join(kernel, 'assembly')) <= statSync(generated).mtimeMs) return;
  const done = spawnSync(process.execPath, [join(kernel, 'build.mjs')], { stdio: 'inherit' });
  if (done.status !== 0) throw new Error('the kernels could not be built');
}

/** Files that have become part of a bundle. */
const bundled = new Set();

async function bundle(options) {
  const result = await build({ ...common, ...options, metafile: true });
  for (const path of Object.keys(result.metafile.inputs)) bundled.add(path);
  return result;
}

async function bundlePrograms() {
  for (const { bundle: name, source, late, cached } of PROGRAMS) {
    await bundle({
      plugins: [...common.plugins, builtins(late)],
      minifyWhitespace: true,
      // What is read at each start is a quarter smaller without names. A stack is read with the map beside the bundle.
      minify: cached,
      sourcemap: cached ? 'external' : false,
      entryPoints: [source],
      outfile: join(dist, `${name}.bundle.cjs`),
      format: 'cjs',
      // A script that a launcher runs has no import() on every version of Node.
      supported: { 'dynamic-import': false },
      define: { 'import.meta.url': 'importMetaUrl' },
      banner: { js: `${isLaunched(name) ? HEAD : ''}${MODULE_URL}` },
      footer: { js: isLaunched(name) ? FOOT : '' },
    });
  }
}

async function bundleIconv() {
  await bundle({
    plugins: [],
    minify: true,
    entryPoints: [join(root, 'node_modules/iconv-lite/lib/index.js')],
    outfile: join(dist, 'iconv.cjs'),
    format: 'cjs',
  });
}

/** The page of the live service as one file: script, plot library and styles are inside of it. */
async function bundlePage() {
  const page = join(root, 'src/live-service/page');
  const { outputFiles } = await bundle({
    plugins: [],
    platform: 'browser',
    target: 'es2022',
    entryPoints: [join(page, 'main.ts')],
    format: 'iife',
    minify: true,
    write: false,
  });
  const styles = [join(root, 'node_modules/uplot/dist/uPlot.min.css'), join(page, 'page.css')];
  const parts = {
    '/* style */': styles.map((path) => readFileSync(path, 'utf8')).join('\n'),
    '/* script */': outputFiles[0].text.replaceAll('</script', '<\\/script'),
  };
  let html = readFileSync(join(page, 'index.html'), 'utf8');
  for (const [mark, text] of Object.entries(parts)) html = html.replace(mark, () => text);
  writeFileSync(join(dist, 'live-page.html'), html);
}

async function bundleLibrary() {
  await bundle({
    entryPoints: ['src/index.ts'],
    outfile: join(dist, 'index.mjs'),
    format: 'esm',
    // Bundled CommonJS packages call require for Node's own modules.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module';\nconst require = makeRequire(import.meta.url);",
    },
  });
}

/** The kind of run that a command line looks like, to the launcher. A worker serves all kinds. */
const GUESS = `
const paths = process.argv.slice(2).filter((arg) => !arg.startsWith('-'));
const last = paths.pop();
const isRemote = (path) => path.includes(':');
const kind = last === undefined ? 'other' : isRemote(last) ? 'push' : paths.some(isRemote) ? 'pull' : 'local';
`;
const ANY_KIND = "\nconst kind = 'any';";
const READ_CACHE = `
try {
  cachedData = read(filename + '.' + kind + '.cache');
} catch {}
`;

/** The launcher runs the bundle as a CommonJS module of its own, with a cache when V8 takes it. */
function launcher(bundle, cached) {
  return `#!/usr/bin/env node
'use strict';
const fs = require('node:fs');
const vm = require('node:vm');
const filename = __dirname + '/${bundle}.bundle.cjs';
// Each file is read over the one before: memory that is touched for the first time costs more than the reading.
let room = Buffer.allocUnsafeSlow(1 << 20);
function read(path) {
  const fd = fs.openSync(path);
  const { size } = fs.fstatSync(fd);
  if (size > room.length) room = Buffer.allocUnsafeSlow(size);
  const bytes = room.subarray(0, fs.readSync(fd, room, 0, size, 0));
  fs.closeSync(fd);
  return bytes;
}
const source = read(filename).toString('latin1');
let cachedData;${cached ? (bundle === 'worker' ? ANY_KIND : GUESS) + READ_CACHE : ''}
const script = new vm.Script(source, {
  filename,
  cachedData,
  importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
script.runInThisContext()(exports, require, module, filename, __dirname);
`;
}

function writeLaunchers() {
  // The package is of ES modules; these launchers are not.
  writeFileSync(join(dist, 'package.json'), '{ "type": "commonjs" }\n');
  for (const { name, bundle, cached } of PROGRAMS) {
    if (name === '') continue;
    const path = join(dist, `${name}.js`);
    writeFileSync(path, launcher(bundle, cached));
    chmodSync(path, 0o755);
  }
}

/**
 * Does what the launcher does, and keeps at its end what V8 compiled: of several processes, what the one with the most has. V8 is to
 * give up nothing of it meanwhile, and since a cache is taken only under the flags that it was made with, a run sets none.
 */
function cacheMaker(filename, kind) {
  return `
const fs = require('node:fs');
const vm = require('node:vm');
const v8 = require('node:v8');
const { setFlagsFromString } = v8;
setFlagsFromString('--no-flush-bytecode');
v8.setFlagsFromString = () => {};
const filename = ${JSON.stringify(filename)};
const script = new vm.Script(fs.readFileSync(filename, 'latin1'), {
  filename,
  importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
process.on('exit', () => {
  setFlagsFromString('--flush-bytecode');
  const cache = script.createCachedData();
  const path = filename + '.${kind}.cache';
  if (!(fs.statSync(path, { throwIfNoEntry: false })?.size > cache.length)) fs.writeFileSync(path, cache);
});
script.runInThisContext()(exports, require, module, filename, ${JSON.stringify(dist)});
`;
}

/** Runs a job of each kind, so that the functions which its start needs are in its cache. */
async function writeCaches() {
  const dir = mkdtempSync(join(tmpdir(), 'tsrsync-build-'));
  mkdirSync(join(dir, 'a'));
  writeFileSync(join(dir, 'a', 'file'), 'content\n');
  makeMany(join(dir, 'many'));
  const { serve } = await import(join(dist, 'index.mjs'));
  const worker = join(dist, 'worker.js');
  const launcher = readFileSync(worker);
  writeFileSync(worker, cacheMaker(join(dist, 'worker.bundle.cjs'), 'any'));
  const modules = { m: { path: dir, 'read only': false, 'use chroot': false, ...ownIds() } };
  const daemon = await serve({ modules }, { address: '127.0.0.1', port: 0, logFile: join(dir, 'log') });
  const url = `rsync://127.0.0.1:${daemon.port}/m`;
  try {
    await writeCache('other', ['--version']);
    await writeCache('local', ['-a', `${dir}/many/`, `${dir}/b/`]);
    await writeCache('push', ['-a', `${dir}/a/`, `${url}/c/`]);
    await writeCache('pull', ['-a', `${url}/a/`, `${dir}/d/`]);
  } finally {
    writeFileSync(worker, launcher);
    await daemon.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** So many files that a copy of them does all that one of many files does: what it compiled is 4 % more than for one file. */
function makeMany(dir) {
  for (let d = 0; d < 20; d++) {
    mkdirSync(join(dir, `d${d}`), { recursive: true });
    for (let f = 0; f < 100; f++) writeFileSync(join(dir, `d${d}`, `file${f}`), 'content\n');
  }
}

/** Root has to say whom a module's files belong to. */
function ownIds() {
  return process.getuid() === 0 ? { uid: 0, gid: 0 } : {};
}

async function writeCache(kind, args) {
  const env = { ...process.env };
  delete env.NODE_OPTIONS;
  const filename = join(dist, 'main.bundle.cjs');
  const code = `process.argv.splice(1, 0, ${JSON.stringify(filename)});${cacheMaker(filename, kind)}`;
  const maker = ['-e', code, '--', ...args];
  const child = spawn(process.execPath, maker, { env, stdio: ['ignore', 'ignore', 'inherit'], timeout: 30_000 });
  const [status] = await once(child, 'exit');
  if (status !== 0) console.warn(`the built command failed (${status}): ${args.join(' ')}`);
}

const forPackage = process.argv.includes('--types');
buildKernel();
// A package has nothing of earlier builds.
if (forPackage) rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
// First of all: V8 knows the text of a cache by its length only.
for (const name of readdirSync(dist)) if (name.endsWith('.cache')) rmSync(join(dist, name));
await Promise.all([bundlePrograms(), bundlePage(), bundleIconv(), bundleLibrary()]);
writeFileSync(join(dist, 'licences.txt'), licenceText(root, bundled));
writeLaunchers();
if (!process.argv.includes('--no-cache')) await writeCaches();
if (forPackage) (await import('./src/packaging/types.mjs')).writeTypes();
