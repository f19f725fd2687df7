import t from 'tap';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { FAULTS, Storm, type StormPlan } from '../lib/storm.js';

/** STORM_SEED in the environment repeats a storm. */
const SEED = Number(process.env.STORM_SEED ?? Date.now() % 1_000_000);

const PLAN: StormPlan = {
  seed: SEED,
  processes: 4,
  operations: 1000,
  ms: 4000,
  options: ['-a', '--delete'],
  server: RSYNC,
  faults: [],
  faultEvery: [500, 1000],
  equalWithin: 30_000,
  compare: { hardLinks: false },
};

const STORMS: Record<string, Partial<StormPlan>> = {
  'to rsync': {},
  'with hard links': { options: ['-aH', '--delete'], compare: {} },
  'to a daemon of ours that comes and goes': { server: TSRSYNC, faults: ['daemon killed', 'daemon ended'] },
  'with everything that can go wrong': { faults: FAULTS },
};

for (const [name, change] of Object.entries(STORMS)) {
  t.test(`a storm, mirrored ${name}`, { timeout: 120_000 }, async (t) => {
    t.comment(`seed ${SEED}`);
    const plan = { ...PLAN, ...change };
    const storm = new Storm(t, plan);
    const result = await storm.run();
    t.comment(JSON.stringify({ ...result, differences: undefined }));
    if (result.differences.length > 0) t.comment(`the mirror said:\n${storm.output().slice(-3000)}`);
    t.same(result.differences, [], `seed ${SEED}: both sides are equal`);
    t.ok(result.succeeded > plan.operations, 'operations succeed');
  });
}
