import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { RSYNC } from '../lib/project.js';
import { type CopyDirection, PAIRS, type Route, referenceOf, routeName, type Way, World } from '../lib/routes.js';

/*
 * With a real rsync at one end, the byte counts of --stats and of the closing lines are rsync's own to the byte. A frame more or less is a matter of
 * timing, so that a loaded machine gets more than one attempt.
 */
const ATTEMPTS = 5;
const COUNTS = /^(?:sent|Total bytes|File list size|Literal|Matched|total size).*$/gm;

function counts(text: string): string[] {
  return (text.match(COUNTS) ?? []).map((line) => line.replace(/ {2}[\d.,]+ bytes\/sec/, ''));
}

/** The counts of a run into a new directory, and of one that finds nothing to do. */
async function bothRuns(world: World, route: Route, dst: string): Promise<string[][]> {
  const runs: string[][] = [];
  for (let run = 0; run < 2; run++) {
    const { code, stdout } = await world.copy(route, ['-a', '--stats'], 'src/', `${dst}/`);
    runs.push([`exit code ${code}`, ...counts(stdout)]);
  }
  return runs;
}

for (const way of ['shell', 'daemon'] satisfies Way[]) {
  for (const direction of ['push', 'pull'] satisfies CopyDirection[]) {
    t.test(`${direction} over a ${way}`, { timeout: 120_000 }, async (t) => {
      const world = new World(t);
      writeFileSync(join(world.makeDir('src'), 'file'), 'some content\n');
      const route: Route = { way, direction, protocol: null, client: RSYNC, server: RSYNC };
      const expected = await bothRuns(world, referenceOf(route), 'reference');
      t.equal(expected[0].length, 8, expected[0].join(' | '));
      for (const pair of PAIRS.filter(({ client, server }) => client === RSYNC || server === RSYNC)) {
        let actual: string[][] = [];
        for (let i = 0; i < ATTEMPTS && String(actual) !== String(expected); i++) {
          actual = await bothRuns(world, { ...route, ...pair }, `${pair.client.name}-${pair.server.name}-${i}`);
        }
        t.same(actual, expected, routeName({ ...route, ...pair }));
      }
    });
  }
}
