import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC } from '../lib/project.js';
import { everydaySuite } from './watch-suite.js';

everydaySuite(t, async (t, dir) => {
  const path = join(dir, 'module');
  mkdirSync(path);
  const daemon = await startDaemon(t, RSYNC, {
    dir: join(dir, 'daemon'),
    modules: { m: { path, 'read only': 'no' } },
  });
  return { args: [daemon.url('m/')], path };
});
