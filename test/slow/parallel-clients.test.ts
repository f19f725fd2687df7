import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { diffDirs } from '../lib/compare.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { type Route, World } from '../lib/routes.js';
import { buildTree } from '../lib/tree.js';
import { waitFor } from '../lib/wait.js';

const CLIENTS = 60;

/** Memory of a process group in KiB: what is shared counts by its share (PSS). */
function memory(group: number): { kib: number; processes: number } {
  let kib = 0;
  let processes = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]) !== group) continue;
      kib += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0);
      processes++;
    } catch {
      // It ended while we looked.
    }
  }
  return { kib, processes };
}

t.test('60 clients push and 60 pull at the same time, all from one daemon', { timeout: 600_000 }, async (t) => {
  const world = new World(t);
  const tree = buildTree(world.path('src'), { seed: 12, files: 150, dirs: 20, maxSize: 100_000 });
  const daemon = await world.daemon(TSRSYNC);
  const idle = memory(daemon.child.pid as number);
  let peak = idle;
  const watch = setInterval(() => {
    const now = memory(daemon.child.pid as number);
    if (now.kib > peak.kib) peak = now;
  }, 200);
  const work = Array.from({ length: CLIENTS * 2 }, async (_, number) => {
    const direction = number % 2 === 0 ? 'push' : 'pull';
    const route: Route = { way: 'daemon', client: RSYNC, server: TSRSYNC, direction, protocol: null };
    world.makeDir(`to-${number}`);
    return world.copy(route, ['-a'], 'src/', `to-${number}/`, { timeout: 300_000 });
  });
  const results = await Promise.all(work);
  clearInterval(watch);
  t.same(
    results.filter((result) => result.code !== 0).map((result) => result.stderr),
    [],
    'all succeed',
  );
  for (const number of results.keys()) t.same(diffDirs(tree.root, world.path(`to-${number}`)), [], `copy ${number}`);
  const mib = (sample: { kib: number }): string => (sample.kib / 1024).toFixed(0);
  t.comment(`daemon: ${mib(idle)} MiB idle, ${mib(peak)} MiB with all clients, ${peak.processes} processes`);
  console.error(`daemon memory: ${mib(idle)} MiB idle, ${mib(peak)} MiB at most, in ${peak.processes} processes`);
  await waitFor(() => memory(daemon.child.pid as number).processes <= 8, 20_000, 'the workers to be few again');
});
