import fs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseCommand } from '../../src/cli/options.js';
import { prepareClient } from '../../src/client/client.js';
import { SessionLog } from '../../src/live/session-log.js';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { tempDir } from '../lib/temp.js';

const OLD = 'the old content';
const NEW = 'the new content';

for (const server of [RSYNC, TSRSYNC]) {
  t.test(`to ${server.name}: a name that leads to another file when it is asked for`, async (t) => {
    const dir = tempDir(t);
    const [source, copy] = [join(dir, 'source'), join(dir, 'copy')];
    for (const made of [source, copy]) fs.mkdirSync(made);
    const modules = { m: { path: copy, 'read only': 'no' } };
    const daemon = await startDaemon(t, server, { dir: join(dir, 'daemon'), modules });
    fs.writeFileSync(join(source, 'a'), OLD);
    fs.utimesSync(join(source, 'a'), 1_000_000_000, 1_000_000_000);
    fs.linkSync(join(source, 'a'), join(source, 'b'));
    fs.writeFileSync(join(source, 'other'), NEW);
    const { options } = parseCommand(['-aH', '--no-inc-recursive', `${source}/`, daemon.url('m/')], {});
    const run = (await prepareClient(options, new SessionLog(null)))!;
    run.session.keepsLinksApart = true;
    // Both names are listed by the time that the third one is asked for.
    const names = async function* () {
      yield 'a';
      yield 'b';
      fs.renameSync(join(source, 'other'), join(source, 'b'));
    };
    await run.finish({ sources: [source], names: names() });
    const has = (name: string) => (fs.existsSync(join(copy, name)) ? fs.readFileSync(join(copy, name), 'latin1') : '');
    t.equal(has('a'), OLD, 'the other name has what it has in the source');
    t.equal(fs.statSync(join(copy, 'a')).mtimeMs, 1_000_000_000_000);
    t.not(has('b'), NEW, 'the new file is left to a session that knows its time');
  });
}
