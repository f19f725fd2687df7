import { mkdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { namelessFiles } from '../lib/processes.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { startRelay } from '../lib/relay.js';
import { run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

const SIZE = 256 << 20;
/** What a relay reads at once when all of it is there; busy machines make it late, so that it may find much. */
const READ = 65_536;

/** Bytes that a side said in one go at most: what is more was held back while there was work to be done with it. */
function mostAtOnce(chunks: readonly Buffer[]): number {
  return chunks.reduce((most, chunk) => Math.max(most, chunk.length), 0);
}

t.test('both ends of a large delta work at the same time: nothing waits for a full buffer', async (t) => {
  const dir = tempDir(t);
  for (const name of ['from', 'to']) {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, 'file'), name);
    truncateSync(join(dir, name, 'file'), SIZE);
  }
  utimesSync(join(dir, 'to', 'file'), 1, 1);
  const module = { path: join(dir, 'to'), 'read only': 'no' };
  const daemon = await startDaemon(t, TSRSYNC, { dir: join(dir, 'daemon'), modules: { to: module } });
  const relay = await startRelay(t, daemon.port);
  const client = [...TSRSYNC.prefix, '-aS', join(dir, 'from', 'file'), `rsync://127.0.0.1:${relay.port}/to/`];
  const result = await run(TSRSYNC.command, client);
  t.equal(result.code, 0, result.stderr);
  const [session] = relay.sessions;
  // 16,384 blocks: 4 bytes each from the sender, and 7 from the generator.
  t.ok(session.bytes.c2s > 65_000 && session.bytes.s2c > 110_000, 'the file went as block numbers');
  t.ok(mostAtOnce(session.c2s) < READ, `the sender kept ${mostAtOnce(session.c2s)} bytes of block numbers back`);
  t.ok(mostAtOnce(session.s2c) < READ, `the generator kept ${mostAtOnce(session.s2c)} bytes of sums back`);
  const compared = await run(RSYNC.command, ['-anci', `${join(dir, 'from')}/`, `${join(dir, 'to')}/`]);
  t.notMatch(compared.stdout, 'file', 'the copy is right');
  await waitFor(() => namelessFiles(daemon.child.pid as number).length === 0, 20_000, 'the old file to be let go');
});
