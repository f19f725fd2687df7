import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PROJECT } from '../lib/project.js';

const DIST = join(PROJECT, 'dist');
const caches = readdirSync(DIST).filter((name) => name.endsWith('.cache'));

/** Whether V8 takes a cache under the flags that a launcher runs with. */
function isTaken(cache: string): boolean {
  const path = JSON.stringify(join(DIST, cache));
  const program = `
    const { readFileSync } = require('node:fs');
    const source = readFileSync(${path}.replace(/\\.\\w+\\.cache$/, ''), 'latin1');
    const script = new (require('node:vm').Script)(source, { cachedData: readFileSync(${path}) });
    console.log(!script.cachedDataRejected);
  `;
  return execFileSync(process.execPath, ['-e', program], { encoding: 'latin1' }) === 'true\n';
}

t.test('V8 takes the code caches of the build', { skip: caches.length === 0 && 'built without' }, async (t) => {
  t.ok(
    caches.some((name) => name.startsWith('worker.')),
    'a worker has one',
  );
  for (const name of caches) t.ok(isTaken(name), name);
});
