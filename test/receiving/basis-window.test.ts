import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { BASIS_WINDOW, BasisWindow } from '../../src/receiving/basis/window.js';
import { Random } from '../lib/random.js';
import { tempDir } from '../lib/temp.js';

const BLOCK = 700;
const SIZE = 4 << 20;

/** Blocks from `at` on that one read has brought. */
function blocksFrom(window: BasisWindow, at: number): number {
  let count = 0;
  while (window.has(at + count * BLOCK, BLOCK)) count++;
  return count;
}

t.test('a basis that is used in order is read in ever longer pieces, single blocks cost little', async (t) => {
  const path = join(tempDir(t), 'basis');
  const bytes = new Random(1).bytes(SIZE);
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  t.teardown(() => closeSync(fd));
  const window = new BasisWindow(null);
  window.open(fd);
  const counts: number[] = [];
  let at = 0;
  while (at < 2 << 20) {
    t.equal(window.load(at, BLOCK, true), BLOCK);
    const place = window.place(at);
    t.ok(bytes.subarray(at, at + BLOCK).equals(window.bytes.subarray(place, place + BLOCK)));
    counts.push(blocksFrom(window, at));
    at += counts[counts.length - 1] * BLOCK;
  }
  t.ok(counts[0] * BLOCK <= 16 * 1024, 'the first read');
  t.equal(counts[counts.length - 1], Math.floor(BASIS_WINDOW / BLOCK), 'the last one');
  t.ok(counts.length < 16, `${counts.length} reads`);

  at += 3 * BLOCK;
  window.load(at, BLOCK, true);
  t.equal(blocksFrom(window, at), Math.floor(BASIS_WINDOW / BLOCK), 'a few blocks are left out');
  for (const far of [0, 3 << 20, 1 << 20]) {
    window.load(far, BLOCK, true);
    t.ok(blocksFrom(window, far) * BLOCK <= 16 * 1024, `out of order at ${far}`);
  }
});
