import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { AclName } from '../../protocol/attributes/acl-bytes.js';
import { getXattr, removeXattr, setXattr } from '../../src/libc/xattrs.js';
import { startInStep } from '../lib/mirror.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { World } from '../lib/routes.js';
import { waitFor } from '../lib/wait.js';

/* With -A and -X, a change of nothing but attributes is mirrored. */

const skip = process.getuid?.() === 0 ? false : 'only root can give files to others';
const LONG = Buffer.alloc(500, 'v');

for (const program of [RSYNC, TSRSYNC]) {
  t.test(`attributes of files and directories follow to ${program.name}`, { skip }, async (test) => {
    const world = new World(test);
    const source = world.makeDir('src');
    mkdirSync(join(source, 'dir'));
    writeFileSync(join(source, 'file'), 'content');
    world.makeDir('dest');
    const daemon = await world.daemon(program);
    const mirror = await startInStep(test, ['-aAX', '--delete', `${source}/`, daemon.url('w/dest/')]);
    const has = (name: string, attribute: string, value: string | Buffer | null): Promise<unknown> =>
      waitFor(
        () => {
          const found = getXattr(Buffer.from(world.path(`dest/${name}`)), attribute);
          return value === null ? found === null : found?.equals(Buffer.from(value)) === true;
        },
        20_000,
        `${attribute} of ${name}\n${mirror.output()}`,
      );
    const file = Buffer.from(join(source, 'file'));
    setXattr(file, 'user.long', LONG);
    await has('file', 'user.long', LONG);
    setXattr(file, 'user.long', Buffer.from('short'));
    await has('file', 'user.long', 'short');
    removeXattr(file, 'user.long');
    await has('file', 'user.long', null);
    setXattr(Buffer.from(join(source, 'dir')), 'user.dir', Buffer.from('d'));
    await has('dir', 'user.dir', 'd');
    spawnSync('setfacl', ['-m', 'u:33:r', 'file'], { cwd: source });
    await has('file', AclName.ACCESS, getXattr(file, AclName.ACCESS));
    test.equal(await mirror.stop(), 0, mirror.output());
  });
}
