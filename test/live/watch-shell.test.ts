import { join } from 'node:path';
import t from 'tap';
import { RSYNC } from '../lib/project.js';
import { fakeRemoteShell } from '../lib/remote-shell.js';
import { everydaySuite } from './watch-suite.js';

everydaySuite(t, async (_t, dir) => {
  const path = join(dir, 'copy');
  return { args: ['-e', fakeRemoteShell(dir), `--rsync-path=${RSYNC.remotePath}`, `host:${path}/`], path };
});
