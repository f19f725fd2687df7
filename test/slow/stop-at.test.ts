import { truncateSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { World } from '../lib/routes.js';
import { runProgram } from '../lib/run.js';

t.test('--stop-after ends a run when its time is over', { timeout: 120_000 }, async (t) => {
  const world = new World(t);
  const source = world.makeDir('src');
  writeFileSync(`${source}/large`, '');
  truncateSync(`${source}/large`, 1 << 30);
  const outcomes = await Promise.all(
    [RSYNC, TSRSYNC].map(async (program) => {
      const daemon = await world.daemon(RSYNC);
      const args = ['-a', '--bwlimit=100', '--stop-after=1', `${source}/`, daemon.url(`w/${program.name}/`)];
      const done = await runProgram(program, args, { timeout: 100_000 });
      return [done.code, done.stderr.split('\n')[0]];
    }),
  );
  t.same(outcomes[1], [30, 'stopping at requested limit']);
  t.same(outcomes[1], outcomes[0]);
});
