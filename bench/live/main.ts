/**
 * `npm run bench:live [-- ROW...]`: what a change costs until the other side has it, for the mirrors that people use and
 * for ours, each between the same tree of 2,000 files and a daemon on the loopback, on a memory file system. Rows:
 * changes, copy, rename. Prints a table with a column for each mirror.
 *
 * LIVE_CHANGES (100) and LIVE_ROUNDS (3) say how often; BENCH_SCALE (1) shrinks the renamed directory; LIVE_ONLY (a
 * word) takes only the mirrors with it in their names; BENCH_DIR (/dev/shm) is where it happens.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { PROJECT } from '../../test/lib/project.js';
import { changes, copyAndRemove, type Measures, rename } from './jobs.js';
import { CONTENDERS, type Contender, versionOf } from './mirrors.js';
import { Site } from './site.js';

const FILES = 2000;
const FOLDER = '/usr/include';
const CHANGES = Number(process.env.LIVE_CHANGES ?? 100);
const ROUNDS = Number(process.env.LIVE_ROUNDS ?? 3);
const SCALE = Number(process.env.BENCH_SCALE ?? 1);
const BASE = process.env.BENCH_DIR ?? '/dev/shm';

const ROWS = new Map<string, (site: Site) => Promise<Measures>>([
  ['changes', (site) => changes(site, FILES, CHANGES)],
  ['copy', (site) => copyAndRemove(site, FOLDER, ROUNDS)],
  ['rename', (site) => rename(site, Math.max(1, Math.round(1024 * SCALE)))],
]);

/** All rows of one mirror. One that fails has the rows before it, says why, and leaves the table to the others. */
async function measureAll(contender: Contender, rows: readonly string[], site: Site): Promise<Measures> {
  const all: Measures = new Map();
  console.error(`${contender.name} ...`);
  try {
    await site.open(FILES);
    await site.start(false);
    for (const row of rows) for (const [what, value] of await ROWS.get(row)!(site)) all.set(what, value);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  } finally {
    await site.close();
  }
  return all;
}

function printHead(contenders: readonly Contender[]): void {
  const model = cpus()[0]?.model ?? 'unknown';
  const own = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')).version;
  const versions = [
    `rsync ${versionOf('rsync', '--version')}`,
    `lsyncd ${versionOf('lsyncd', '--version')}`,
    `inotifywait ${versionOf('inotifywait', '--help')}`,
    `tsrsync ${own} on Node ${process.versions.node}`,
  ];
  console.log(`${cpus().length} x ${model}; ${versions.join(', ')}`);
  console.log(`a tree of ${FILES} files in ${BASE}; copied folder: ${FOLDER}; times and CPU are a round's\n`);
  console.log(`${''.padEnd(36)}${contenders.map(({ name }) => name.padStart(20)).join('')}`);
}

function printTable(contenders: readonly Contender[], results: readonly Measures[]): void {
  printHead(contenders);
  for (const what of new Set(results.flatMap((result) => [...result.keys()]))) {
    const cells = results.map((result) => (result.get(what) ?? '-').padStart(20));
    console.log(`${what.padEnd(36)}${cells.join('')}`);
  }
}

async function main(names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => !ROWS.has(name));
  if (unknown.length > 0)
    throw new Error(`no such row: ${unknown.join(' ')} (there are ${[...ROWS.keys()].join(' ')})`);
  const rows = [...ROWS.keys()].filter((name) => names.length === 0 || names.includes(name));
  const only = process.env.LIVE_ONLY ?? '';
  const contenders = CONTENDERS.filter(({ name }) => name.includes(only));
  const dir = mkdtempSync(join(BASE, 'tsrsync-bench-live-'));
  const results: Measures[] = [];
  let site: Site | null = null;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, async () => {
      await site?.close();
      rmSync(dir, { recursive: true, force: true });
      process.exit(1);
    });
  }
  for (const [index, contender] of contenders.entries()) {
    site = new Site(contender, join(dir, String(index)));
    results.push(await measureAll(contender, rows, site));
  }
  rmSync(dir, { recursive: true, force: true });
  printTable(contenders, results);
}

await main(process.argv.slice(2));
