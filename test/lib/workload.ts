/**
 * `node workload.js DIR SEED COUNT`: random operations below DIR, many of which meet those of other processes that do
 * the same: errors are part of it. Nothing is left open.
 */
import {
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { Random } from './random.js';

const [dir, seed, count] = process.argv.slice(2);
const random = new Random(Number(seed));
const NAMES = ['a', 'b', 'c', 'd', 'e', '\xe4'];

function somePath(): string {
  const depth = 1 + random.int(4);
  return [dir, ...Array.from({ length: depth }, () => NAMES[random.int(NAMES.length)])].join('/');
}

const OPERATIONS: readonly (() => void)[] = [
  () => void mkdirSync(somePath(), { recursive: true }),
  () => mkdirSync(somePath()),
  () => mkdirSync(somePath()),
  () => writeFileSync(`${somePath()}.f`, 'x'.repeat(random.int(5000))),
  () => writeFileSync(`${somePath()}.f`, 'x'.repeat(random.int(5000))),
  () => writeFileSync(`${somePath()}.f`, 'x', { flag: 'a' }),
  () => renameSync(somePath(), somePath()),
  () => renameSync(somePath(), somePath()),
  () => renameSync(`${somePath()}.f`, `${somePath()}.f`),
  () => unlinkSync(`${somePath()}.f`),
  () => rmdirSync(somePath()),
  // Files with several names are never written again: that would change the others without an event.
  () => writeFileSync(`${somePath()}.k`, 'x', { flag: 'wx' }),
  () => linkSync(`${somePath()}.k`, `${somePath()}.k`),
  () => unlinkSync(`${somePath()}.k`),
  () => symlinkSync('nowhere', `${somePath()}.l`),
  () => unlinkSync(`${somePath()}.l`),
  () => chmodSync(somePath(), 0o700 | random.int(0o100)),
  () => {
    if (random.chance(3)) rmSync(somePath(), { recursive: true, force: true });
  },
];

for (let i = 0; i < Number(count); i++) {
  try {
    OPERATIONS[random.int(OPERATIONS.length)]();
  } catch {
    // Another process was faster.
  }
}
