import { join } from 'node:path';
import t from 'tap';
import { CHUNK_ROWS } from '../../protocol/flist/chunk.js';
import { checkForgotten, emptyFiles, real, transfer } from '../lib/own-client.js';
import { memoryDir } from '../lib/temp.js';

t.test('with nothing to do, memory holds what both sides still work on', async (t) => {
  const dir = memoryDir(t);
  const source = join(dir, 'source');
  // More entries than are sent ahead, so that the next list has to be sent although nothing was asked for.
  emptyFiles(join(source, 'a', 'large'), 0, 12_000);
  for (let at = 0; at < 300; at++) emptyFiles(join(source, 'b', `dir${at}`), at * 100, (at + 1) * 100);
  await real('cp', '-a', source, join(dir, 'target'));
  for (const direction of ['push', 'pull'] as const) {
    const { session, lines } = await transfer(direction, dir, ['-a']);
    const { list } = session;
    t.same(lines, []);
    t.equal(session.incremental, true);
    t.ok(list.count > 10 * CHUNK_ROWS);
    t.ok(list.chunksMost <= 7, `${direction}: ${list.chunksMost} chunks at once, of ${list.count} rows`);
    checkForgotten(t, list);
  }
});
