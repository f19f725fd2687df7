import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { startInStep } from '../lib/mirror.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

/* A mirror whose other side has its names in another character set (--iconv, "charset" of a module). */

function namesBelow(dir: string): string[] {
  const found = spawnSync('find', [dir, '-mindepth', '1', '-printf', '%P\\n'], { encoding: 'latin1' }).stdout;
  return found.split('\n').slice(0, -1).sort();
}

for (const program of [RSYNC, TSRSYNC]) {
  t.test(`every change of a name arrives in the character set of ${program.name}'s module`, async (test) => {
    const dir = tempDir(test);
    const source = join(dir, 'source');
    const path = join(dir, 'copy');
    for (const name of [source, path]) mkdirSync(name);
    mkdirSync(join(source, 'größe'));
    writeFileSync(join(source, 'größe/maß'), 'first');
    const modules = { m: { path, 'read only': 'no', charset: 'ISO-8859-1' } };
    const daemon = await startDaemon(test, program, { dir: join(dir, 'daemon'), modules });
    const mirror = await startInStep(test, ['-a', '--delete', '--iconv=UTF-8', `${source}/`, daemon.url('m/')]);
    const becomes = (names: string[]): Promise<unknown> =>
      waitFor(() => namesBelow(path).join() === names.sort().join(), 20_000, `${names}; ${mirror.output()}`);

    await becomes(['größe', 'größe/maß']);
    writeFileSync(join(source, 'größe/öl'), 'new');
    await becomes(['größe', 'größe/maß', 'größe/öl']);
    renameSync(join(source, 'größe/öl'), join(source, 'ähnlich'));
    await becomes(['größe', 'größe/maß', 'ähnlich']);
    renameSync(join(source, 'größe'), join(source, 'fläche'));
    await becomes(['fläche', 'fläche/maß', 'ähnlich']);
    unlinkSync(join(source, 'ähnlich'));
    await becomes(['fläche', 'fläche/maß']);
    rmSync(join(source, 'fläche'), { recursive: true });
    await becomes([]);
    // A name that the other character set does not have stays here, and its user is told.
    writeFileSync(join(source, 'жук'), 'x');
    writeFileSync(join(source, 'später'), 'x');
    await becomes(['später']);
    await mirror.says('cannot convert filename');
    await mirror.stop();
  });
}

t.test('what the other side said before it ended a session is told', async (test) => {
  const dir = tempDir(test);
  const source = join(dir, 'source');
  const path = join(dir, 'copy');
  for (const name of [source, path]) mkdirSync(name);
  // rsyncd 3.5.0 without chroot takes a name that it cannot convert for a breach of the protocol.
  const modules = { m: { path, 'read only': 'no', charset: 'ISO-8859-1', 'use chroot': 'no' } };
  const daemon = await startDaemon(test, RSYNC, { dir: join(dir, 'daemon'), modules });
  const mirror = await startInStep(test, ['-a', '--iconv=UTF-8', `${source}/`, daemon.url('m/')]);
  writeFileSync(join(source, 'жук'), 'x');
  await mirror.says(/cannot convert filename: .*\(code 2\); trying again/);
  unlinkSync(join(source, 'жук'));
  await mirror.says('in step again');
  await mirror.stop();
});
