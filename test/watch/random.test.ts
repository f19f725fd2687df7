import t from 'tap';
import { memoryDir } from '../lib/temp.js';
import { startWatching, workload } from '../lib/watching.js';

const seed = Number(process.env.SEED ?? Date.now() % 100_000);

t.test(`a mirror that knows only what it is told equals the tree after random operations, seed ${seed}`, async (t) => {
  const root = memoryDir(t);
  const { mirror, equal } = startWatching(t, root);
  // Not only in the end: what was told early must hold too when it is acted on at once.
  const timer = setInterval(() => mirror.sync(), 20);
  t.teardown(() => clearInterval(timer));
  await workload(root, seed, 2000);
  await equal();
  t.ok(mirror.told.length > 100, `${mirror.told.length} lines were told`);
});
