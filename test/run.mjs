// `npm test [-- WORD...]`: installs what is missing, builds, compiles, and runs the tests with tap. With words only the
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

/**
 * Shows of a TAP stream what one wants to read: a line per test file, and everything about failures. `end` gives the
 * counts of its last line: `# { total: 3, pass: 2, fail: 1, skip: 0 }`.
 */
class Summary {
  totals = '';
  showing = false;

  line(text) {
    if (text.startsWith('# { total:')) this.totals = text;
    const result = /^( *)(not )?ok \d+/.exec(text);
    if (result) this.showing = result[2] !== undefined && !/# (SKIP|TODO)/.test(text);
    else if (/^ *(# Subtest|\d+\.\.\d+)/.test(text)) this.showing = false;
    const top = result && result[1] === '';
    if (this.showing || top || /^ *Bail out!|# SKIP/.test(text)) console.log(text.replace('build/test/', 'test/'));
    if (/^ *\.\.\.$/.test(text)) this.showing = false;
  }

  end() {
    const number = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(this.totals)?.[1] ?? 0);
    return { passed: number('pass'), failed: number('fail'), skipped: number('skip') };
  }
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

async function runTap(files) {
  const args = ['node_modules/tap/dist/esm/run.mjs', '--reporter=tap'];
  if (slow) args.push('--timeout=3600', '--jobs=1');
  const tap = spawn(process.execPath, [...args, ...files], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => tap.on('close', resolve));
  const summary = new Summary();
  for await (const line of createInterface({ input: tap.stdout })) summary.line(line);
  return { status: await ended, ...summary.end() };
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
const result = await runTap(files);
if (result.skipped > 0) console.log(`${result.skipped} skipped; the report says why`);
if (!typed) console.log('tsc found type errors (above)');
console.log(`${result.passed} passed, ${result.failed} failed`);
process.exit(result.status === 0 && result.failed === 0 && result.passed > 0 && typed ? 0 : 1);
