import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { FAULTS, Storm, type StormPlan } from '../lib/storm.js';
import type { Teardown } from '../lib/temp.js';

/** STORM_SEED in the environment repeats a storm. */
const SEED = Number(process.env.STORM_SEED ?? Date.now() % 1_000_000);
const QUEUE = '/proc/sys/fs/inotify/max_queued_events';
const SMALL_QUEUE = '256';

/** 100,000 operations that succeed, more or less, out of so many. */
const PLAN: StormPlan = {
  seed: SEED,
  processes: 4,
  operations: 40_000,
  ms: 180_000,
  options: ['-aH', '--delete'],
  server: RSYNC,
  faults: FAULTS,
  faultEvery: [3000, 12_000],
  equalWithin: 120_000,
};

/** Makes the kernel's queue of events small for mirrors that start now; false when that is not permitted. */
function shrinkQueue(t: Teardown): boolean {
  const before = readFileSync(QUEUE, 'latin1');
  try {
    writeFileSync(QUEUE, SMALL_QUEUE);
  } catch {
    return false;
  }
  t.teardown(() => writeFileSync(QUEUE, before));
  return true;
}

for (const server of [RSYNC, TSRSYNC]) {
  t.test(`100,000 operations, mirrored to ${server.name}`, { timeout: 900_000 }, async (t) => {
    t.comment(`seed ${SEED}`);
    if (!shrinkQueue(t)) t.comment('the queue of events could not be made small: that takes root');
    const storm = new Storm(t, { ...PLAN, server });
    const result = await storm.run();
    t.comment(JSON.stringify({ ...result, differences: undefined }));
    if (result.differences.length > 0) t.comment(`the mirror said:\n${storm.output().slice(-5000)}`);
    t.same(result.differences, [], `seed ${SEED}: both sides are equal`);
    t.ok(result.succeeded >= 100_000, `${result.succeeded} operations succeed`);
  });
}
