import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseCommand } from '../../src/cli/options.js';
import { prepareClient } from '../../src/client/client.js';
import { SessionLog } from '../../src/live/session-log.js';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { tempDir } from '../lib/temp.js';

/** What comes into the place of a file after it was listed. */
const OTHERS: Record<string, (path: string) => void> = {
  'a directory': (path) => fs.mkdirSync(path),
  'a fifo': (path) => execFileSync('mkfifo', [path]),
  'a link': (path) => fs.symlinkSync('other', path),
  'a device': (path) => execFileSync('mknod', [path, 'c', '1', '3']),
};
const isRoot = process.getuid?.() === 0;

for (const server of [RSYNC, TSRSYNC]) {
  for (const [what, make] of Object.entries(OTHERS)) {
    const skip = what === 'a device' && !isRoot ? 'only root makes devices' : false;
    t.test(`to ${server.name}: ${what} in the place of a file that was listed`, { skip }, async (t) => {
      const dir = tempDir(t);
      const [source, copy] = [join(dir, 'source'), join(dir, 'copy')];
      for (const made of [source, copy]) fs.mkdirSync(made);
      fs.writeFileSync(join(copy, 'file'), 'what was kept');
      for (const name of ['file', 'other']) fs.writeFileSync(join(source, name), `the new ${name}`);
      const modules = { m: { path: copy, 'read only': 'no' } };
      const daemon = await startDaemon(t, server, { dir: join(dir, 'daemon'), modules });
      const { options } = parseCommand(['-a', '--no-inc-recursive', `${source}/`, daemon.url('m/')], {});
      const run = (await prepareClient(options, new SessionLog(null)))!;
      const names = async function* () {
        yield 'file';
        yield 'other';
        fs.unlinkSync(join(source, 'file'));
        make(join(source, 'file'));
      };
      const code = await run.finish({ sources: [source], names: names() });
      t.equal(code, 23, 'exit code');
      t.equal(fs.readFileSync(join(copy, 'file'), 'latin1'), 'what was kept', 'the older file stays');
      t.equal(fs.readFileSync(join(copy, 'other'), 'latin1'), 'the new other');
    });
  }
}
