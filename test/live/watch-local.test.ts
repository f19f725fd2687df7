import { join } from 'node:path';
import t from 'tap';
import { everydaySuite } from './watch-suite.js';

everydaySuite(t, async (_t, dir) => {
  const path = join(dir, 'copy');
  return { args: [path], path };
});
