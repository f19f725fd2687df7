import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type RunningDaemon, startDaemon } from '../lib/daemon.js';
import { startInStep } from '../lib/mirror.js';
import { TSRSYNC } from '../lib/project.js';
import { tempDir } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';

/* A mirror's next connection waits for its list, with the destination opened. What is in its place by then counts. */

const skip = process.getuid?.() === 0 ? false : 'only root can change the root directory';
const LIMIT_MS = 20_000;

/** Waits until the daemon has come to the lists of so many connections. */
function connections(daemon: RunningDaemon, count: number): Promise<unknown> {
  const lists = () => daemon.log().split('receiving file list').length - 1;
  return waitFor(() => lists() >= count, LIMIT_MS, `connection ${count}\n${daemon.log()}`);
}

for (const chroot of ['yes', 'no']) {
  t.test(`a destination that is replaced while a connection waits, use chroot = ${chroot}`, { skip }, async (test) => {
    const dir = tempDir(test);
    const source = join(dir, 'src');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'first');
    const above = join(dir, 'm/above');
    mkdirSync(join(above, 'dest'), { recursive: true });
    const modules = { m: { path: join(dir, 'm'), 'read only': 'no', 'use chroot': chroot } };
    const daemon = await startDaemon(test, TSRSYNC, { dir: join(dir, 'daemon'), modules });
    const mirror = await startInStep(test, ['-a', `${source}/`, daemon.url('m/above/dest/')]);
    const write = async (content: string) => {
      writeFileSync(join(source, 'file'), content);
      const place = join(above, 'dest/file');
      const arrived = () => existsSync(place) && readFileSync(place, 'latin1') === content;
      await waitFor(arrived, LIMIT_MS, `${content}\n${mirror.output()}${daemon.log()}`);
    };
    await connections(daemon, 2);
    await write('second');

    await connections(daemon, 3);
    const gone = join(dir, 'm/gone');
    renameSync(above, gone);
    mkdirSync(join(above, 'dest'), { recursive: true });
    await write('third');
    test.equal(readFileSync(join(gone, 'dest/file'), 'latin1'), 'second', 'what was there before is left alone');

    await connections(daemon, 4);
    rmSync(join(above, 'dest'), { recursive: true });
    await write('fourth');
    test.equal(await mirror.stop(), 0, mirror.output());
  });
}
