// `npm test [-- WORD...]`: installs what is missing, builds, compiles, and runs the tests (tap). With words only the
// test files whose path has one of them. `--slow` runs test/slow instead.
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build, compile, installPackages, installTools, root } from './prepare.mjs';

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const slow = process.argv.includes('--slow');

/** Compiled files of the tests that exist as sources: a leftover of a removed test does not run. */
function testFiles() {
  const sources = readdirSync(join(root, 'test'), { recursive: true }).filter((path) => path.endsWith('.test.ts'));
  return sources
    .filter((path) => path.startsWith('slow/') === slow)
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .map((path) => join('build/test', path.replace(/\.ts$/, '.js')))
    .sort();
}

/** Milliseconds that one file may take. */
const TIMEOUT = slow ? 3_600_000 : 480_000;
const JOBS = slow ? 1 : 2;

const counts = { passed: 0, failed: 0, skipped: 0 };
/** Files that failed beside others and passed alone. */
const unsteady = [];

/** Adds up a file's run; one that ended badly without a failed line counts as one. */
function count({ passed, failed, skipped }, isBad = false) {
  counts.passed += passed;
  counts.failed += isBad ? Math.max(failed, 1) : failed;
  counts.skipped += skipped;
}

/** Counts what a file's TAP stream says and keeps what one wants to read of it: everything about failures. */
function read(line, shown) {
  const result = /^ *(not )?ok \d+/.exec(line);
  if (result) {
    const left = /# (SKIP|TODO)/.test(line);
    shown.failing = result[1] !== undefined && !left;
    if (left) shown.skipped++;
    else if (shown.failing) shown.failed++;
    else shown.passed++;
  } else if (/^ *(# Subtest|\d+\.\.\d+)/.test(line)) {
    shown.failing = false;
  }
  if (shown.failing || /^ *Bail out!|# SKIP/.test(line)) shown.lines.push(line);
  if (/^ *\.\.\.$/.test(line)) shown.failing = false;
}

/**
 * Runs one test file as a program of its own. Not through tap's runner: that loads itself into every process that a test
 * starts, and those which give up their rights or change their root cannot carry it.
 */
async function runFile(file) {
  const started = performance.now();
  const env = { ...process.env, TAP_TIMEOUT: String(TIMEOUT / 1000) };
  const child = spawn(process.execPath, [file], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT + 10_000);
  const shown = { failing: false, lines: [], passed: 0, failed: 0, skipped: 0 };
  for await (const line of createInterface({ input: child.stdout })) read(line, shown);
  const ok = (await ended) === 0;
  clearTimeout(timer);
  for (const line of shown.lines) console.log(line);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${ok ? 'ok' : 'not ok'} - ${file.replace('build/', '')} (${seconds} s)`);
  return { ok: ok && shown.failed === 0, shown };
}

/** The real rsync is the other end of most tests; without it they would only seem to pass. */
function checkPeer() {
  const why = installTools();
  if (spawnSync('rsync', ['--version'], { stdio: 'ignore' }).status === 0) {
    if (why !== '') console.log(`Some tests will be skipped; ${why}`);
    return;
  }
  console.error(`The tests need the real rsync as the other end; ${why}`);
  process.exit(1);
}

/**
 * Runs all files, some at a time. One that fails is run once more when nothing else runs:
 * daemons, clients and their deadlines share two processors with another file. What was unsteady is said at the end.
 */
async function runFiles(files) {
  const failed = [];
  let next = 0;
  const work = async () => {
    while (next < files.length) {
      const file = files[next++];
      const { ok, shown } = await runFile(file);
      if (ok || words.length > 0) count(shown, !ok);
      else failed.push(file);
    }
  };
  await Promise.all(Array.from({ length: JOBS }, work));
  for (const file of failed) {
    console.log(`once more, alone: ${file.replace('build/', '')}`);
    const { ok, shown } = await runFile(file);
    count(shown, !ok);
    if (ok) unsteady.push(file.replace('build/', ''));
  }
}

installPackages();
checkPeer();
build();
const typed = compile();
const files = testFiles();
if (files.length === 0) {
  console.error('no test file matches');
  process.exit(1);
}
await runFiles(files);
if (counts.skipped > 0) console.log(`${counts.skipped} skipped; the report says why`);
if (!typed) console.log('tsc found type errors (above)');
console.log(`${counts.passed} passed, ${counts.failed} failed`);
for (const file of unsteady) console.log(`unsteady: ${file} failed beside others and passed alone`);
process.exit(counts.failed === 0 && counts.passed > 0 && typed ? 0 : 1);
