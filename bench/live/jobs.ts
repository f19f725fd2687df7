import { cpSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { allLookSo, lastChange, lookAt, missing, pause } from '../../test/lib/looks.js';
import { Random } from '../../test/lib/random.js';
import { run } from '../../test/lib/run.js';
import { waitFor } from '../../test/lib/wait.js';
import { median } from '../measure.js';
import { FarSide } from './far-side.js';
import { nameOf, type Site } from './site.js';

const LIMIT_MS = 60_000;
const MIB = 1 << 20;

/** A line of the table: what was measured, and how it is to be read. */
export type Measures = Map<string, string>;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

/** Changes at random moments, each seen on the other side before the next. */
export async function changes(site: Site, files: number, count: number): Promise<Measures> {
  const random = new Random(2);
  const farSide = new FarSide(site.target);
  const before = site.usage();
  const times: number[] = [];
  let late = 0;
  for (let change = 0; change < count; change++) {
    await pause(20 + random.int(400));
    const name = nameOf(random.int(files));
    const content = random.bytes(200 + random.int(8000));
    const start = performance.now();
    writeFileSync(join(site.source, name), content);
    if (await farSide.holds(name, content, LIMIT_MS / 10)) times.push(performance.now() - start);
    else late++;
  }
  farSide.close();
  await site.quiet();
  const used = site.usage();
  times.sort((a, b) => a - b);
  const at95 = times[Math.min(times.length - 1, Math.floor(times.length * 0.95))];
  return new Map([
    ['change to visible, median', `${median(times).toFixed(1)} ms`],
    ['change to visible, 95 %', `${at95.toFixed(1)} ms`],
    ['changes that never came', String(late)],
    ['CPU of the mirror, a change', `${(((used.cpu - before.cpu) / count) * 1000).toFixed(1)} ms`],
    [`connections of ${count} changes`, String(used.connections - before.connections)],
  ]);
}

/** A large folder copied into the source, and removed again; several rounds. */
export async function copyAndRemove(site: Site, folder: string, rounds: number): Promise<Measures> {
  const looks = lookAt(folder);
  const inTarget = join(site.target, 'copied');
  const lists = { copy: [] as number[], equal: [] as number[], removal: [] as number[] };
  const before = site.usage();
  let lost = 0;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await run('cp', ['-a', folder, join(site.source, 'copied')]);
    lists.copy.push(performance.now() - start);
    const copied = Date.now();
    const equal = await allLookSo(inTarget, looks, LIMIT_MS);
    // Not when that was found out: to look at all of it takes a twentieth of a second.
    lists.equal.push(equal ? Math.max(0, lastChange(inTarget) - copied) : Infinity);
    await site.quiet();
    lost += missing(inTarget, looks).length;
    await run('rm', ['-rf', join(site.source, 'copied')]);
    const removed = performance.now();
    await waitFor(() => !existsSync(inTarget), LIMIT_MS, 'the removal').catch(() => {});
    lists.removal.push(existsSync(inTarget) ? Infinity : performance.now() - removed);
    await site.quiet();
  }
  const used = site.usage();
  return new Map([
    [`cp -a of ${looks.length} files: cp itself`, seconds(median(lists.copy))],
    ['until equal, beyond cp', seconds(median(lists.equal))],
    [`files missing, ${rounds} rounds`, String(lost)],
    ['rm -rf of it: until equal', seconds(median(lists.removal))],
    ['CPU of the mirror, cp and rm', `${((used.cpu - before.cpu) / rounds).toFixed(2)} s`],
    ['connections, cp and rm', ((used.connections - before.connections) / rounds).toFixed(1)],
  ]);
}

/** Bytes that cross the wire when a directory with `mib` MiB in it gets another name. */
export async function rename(site: Site, mib: number): Promise<Measures> {
  await site.stopMirror();
  const from = join(site.source, 'large');
  const each = Math.max(1, Math.floor(mib / 64));
  mkdirSync(from, { recursive: true });
  const random = new Random(3);
  for (let index = 0; index * each < mib; index++) writeFileSync(join(from, `part${index}`), random.bytes(each * MIB));
  // The other side has it already, so that only the change of the name is counted.
  cpSync(from, join(site.target, 'large'), { recursive: true, preserveTimestamps: true });
  await site.start(true);
  const looks = lookAt(from);
  const before = site.sentBytes();
  renameSync(from, join(site.source, 'renamed'));
  const start = performance.now();
  const there = await allLookSo(join(site.target, 'renamed'), looks, LIMIT_MS);
  await waitFor(() => !existsSync(join(site.target, 'large')), LIMIT_MS, 'the old name to go').catch(() => {});
  const gone = !existsSync(join(site.target, 'large'));
  const time = performance.now() - start;
  await site.quiet();
  return new Map([
    [`rename of ${mib} MiB: bytes sent`, (site.sentBytes() - before).toLocaleString('en')],
    ['until equal', there && gone ? seconds(time) : 'never'],
  ]);
}
