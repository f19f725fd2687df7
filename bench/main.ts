/**
 * `npm run bench [-- ROW...]`: times jobs between our client and daemon and the installed rsync's, all four pairs, on a
 * memory file system over loopback. Prints for each pair the time of rsync with rsync divided by the pair's time (above
 * 1 is faster than rsync), the seconds, and the CPU seconds of both sides. The pairs take turns, so that a slow moment
 * of the machine hits all of them. The goal of a row is for our two ends together.
 *
 * `growth` and `memory` are tables of their own, see scale.ts; they are printed only when they are named.
 *
 * BENCH_RUNS (5) turns; BENCH_SCALE (1) shrinks counts and sizes; BENCH_DIR (/dev/shm) is where it happens.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type RunningDaemon, startDaemon } from '../test/lib/daemon.js';
import { type Program, RSYNC, TSRSYNC } from '../test/lib/project.js';
import { run } from '../test/lib/run.js';
import { measure, median, readyMemory, type Sample } from './measure.js';
import { ROWS, type Row } from './rows.js';
import { SCALE_TABLES } from './scale.js';

interface Pair {
  client: Program;
  server: Program;
}

const PAIRS: readonly Pair[] = [
  { client: TSRSYNC, server: TSRSYNC },
  { client: TSRSYNC, server: RSYNC },
  { client: RSYNC, server: TSRSYNC },
  { client: RSYNC, server: RSYNC },
];

const RUNS = Number(process.env.BENCH_RUNS ?? 5);
const SCALE = Number(process.env.BENCH_SCALE ?? 1);
const BASE = process.env.BENCH_DIR ?? '/dev/shm';

async function measureRow(row: Row, dir: string, daemons: Map<Program, RunningDaemon>): Promise<Map<Pair, Sample[]>> {
  const source = join(dir, 'source');
  row.source(source, SCALE);
  const pairs = pairsOf(row);
  const samples = new Map<Pair, Sample[]>(pairs.map((pair) => [pair, []]));
  // One turn more than counted: the first fills caches, warms workers and, for a copy that is there, settles it.
  for (let turn = 0; turn <= RUNS; turn++) {
    for (const [index, pair] of pairs.entries()) {
      const target = join(dir, `target-${index}`);
      row.target(target, source);
      const daemon = daemons.get(pair.server)!;
      const far = (name: string): string => daemon.url(`w/${name}/`);
      const paths = pathsOf(row, source, target, far, index);
      readyMemory(dir);
      const sample = await measure(pair.client, [...row.args, ...paths], daemon.child);
      if (turn > 0) samples.get(pair)!.push(sample);
    }
  }
  await check(row, dir, source, pairs.length);
  return samples;
}

/** A copy on this machine has no other end. */
function pairsOf(row: Row): Pair[] {
  return PAIRS.filter((pair) => row.direction !== 'local' || pair.client === pair.server);
}

function pathsOf(
  row: Row,
  source: string,
  target: string,
  far: (name: string) => string,
  index: number,
): [string, string] {
  if (row.direction === 'local') return [`${source}/`, `${target}/`];
  return row.direction === 'push' ? [`${source}/`, far(`target-${index}`)] : [far('source'), `${target}/`];
}

/** A fast copy that is wrong is not fast. */
async function check(row: Row, dir: string, source: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const args = ['-acni', '--delete', '--omit-dir-times', `${source}/`, `${join(dir, `target-${index}`)}/`];
    const { stdout } = await run(RSYNC.command, args, { timeout: 600_000 });
    if (stdout !== '') throw new Error(`${row.name}: the copy of pair ${index} differs:\n${stdout.slice(0, 500)}`);
  }
}

function cell(samples: readonly Sample[], reference: number): string {
  const wall = median(samples.map((sample) => sample.wall));
  const cpu = median(samples.map((sample) => sample.cpu));
  return `${(reference / wall).toFixed(2)}x ${wall.toFixed(3)}s cpu ${cpu.toFixed(2)}`;
}

function printRow(row: Row, samples: Map<Pair, Sample[]>): void {
  const reference = median(samples.get(PAIRS[PAIRS.length - 1])!.map((sample) => sample.wall));
  const cells = PAIRS.map((pair) => (samples.has(pair) ? cell(samples.get(pair)!, reference) : '').padEnd(27));
  console.log(`${row.name.padEnd(15)}${String(row.goal).padEnd(6)}${cells.join('')}${row.about}`);
}

function chosenRows(names: readonly string[]): Row[] {
  const unknown = names.filter((name) => !ROWS.some((row) => row.name === name) && !(name in SCALE_TABLES));
  if (unknown.length > 0) {
    const known = [...ROWS.map((row) => row.name), ...Object.keys(SCALE_TABLES)];
    throw new Error(`no such row: ${unknown.join(' ')} (there are ${known.join(' ')})`);
  }
  return ROWS.filter((row) => names.length === 0 || names.includes(row.name));
}

async function printRows(rows: readonly Row[], dir: string, daemons: Map<Program, RunningDaemon>): Promise<void> {
  const heads = PAIRS.map(({ client, server }) => `${client.name} to ${server.name}d`.padEnd(27));
  console.log(`median of ${RUNS}, scale ${SCALE}; times of rsync to rsync divided by the pair's`);
  console.log(`${''.padEnd(15)}${'goal'.padEnd(6)}${heads.join('')}`);
  for (const row of rows) {
    printRow(row, await measureRow(row, dir, daemons));
    for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true, force: true });
  }
}

async function main(names: readonly string[]): Promise<void> {
  const rows = chosenRows(names);
  const dir = mkdtempSync(join(BASE, 'tsrsync-bench-'));
  const after: (() => unknown)[] = [];
  try {
    const daemons = new Map<Program, RunningDaemon>();
    mkdirSync(join(dir, 'w'));
    for (const program of [TSRSYNC, RSYNC]) {
      const setup = { dir: join(dir, program.name), modules: { w: { path: join(dir, 'w'), 'read only': 'no' } } };
      daemons.set(program, await startDaemon({ teardown: (fn) => after.push(fn) }, program, setup));
    }
    if (rows.length > 0) await printRows(rows, join(dir, 'w'), daemons);
    const sides = [TSRSYNC, RSYNC].map((program) => ({
      program,
      daemon: daemons.get(program) as RunningDaemon,
      dir: join(dir, 'w'),
    }));
    for (const name of names) await SCALE_TABLES[name]?.(sides, SCALE);
  } finally {
    for (const fn of after.reverse()) await fn();
    rmSync(dir, { recursive: true, force: true });
  }
}

await main(process.argv.slice(2));
