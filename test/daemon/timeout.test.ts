import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

t.test("a client takes over a module's timeout, and says so at -vv", async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'module');
  mkdirSync(path);
  writeFileSync(join(path, 'file'), '');
  for (const server of [RSYNC, TSRSYNC]) {
    const modules = { m: { path, timeout: '33' } };
    const daemon = await startDaemon(t, server, { dir: join(dir, server.name), modules });
    for (const client of [RSYNC, TSRSYNC]) {
      const told = async (...options: string[]) =>
        (await runProgram(client, ['-n', ...options, daemon.url('m/'), `${dir}/copy/`])).stdout.match(/^Setting .*/gm);
      const who = `${client.name} at ${server.name}`;
      t.same(await told('-avv'), ['Setting --timeout=33 to match server'], who);
      t.equal(await told('-avv', '--timeout=20'), null, `${who} with a shorter one of its own`);
      t.equal(await told('-av'), null, `${who} at -v`);
    }
  }
});
