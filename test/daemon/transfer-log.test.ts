import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { runProgram } from '../lib/run.js';
import { type Teardown, tempDir } from '../lib/temp.js';

t.setTimeout(200_000);

const FORMAT = '%o|%f|%n|%l|%b|%i|%L|%m|%P|%u|%a|%h|%M';

function makeSource(dir: string): string {
  mkdirSync(join(dir, 'sub'), { recursive: true });
  writeFileSync(join(dir, 'one'), 'first\n'.repeat(500));
  writeFileSync(join(dir, 'sub', 'two'), 'second\n');
  symlinkSync('one', join(dir, 'link'));
  for (const name of ['one', 'sub/two', 'sub', '']) utimesSync(join(dir, name), 1e9, 1e9);
  return `${dir}/`;
}

/** What a daemon's log says after pushes, pulls and a deletion by real clients, without what is different each time. */
async function logOf(t: Teardown, program: Program, chroot: string): Promise<string[]> {
  const dir = tempDir(t);
  const source = makeSource(join(dir, 'src'));
  const path = join(dir, 'module');
  mkdirSync(join(path, 'deep/er'), { recursive: true });
  const logged = { path, 'read only': 'no', 'use chroot': chroot };
  const daemon = await startDaemon(t, program, {
    dir: join(dir, 'daemon'),
    modules: {
      m: { ...logged, 'transfer logging': 'yes', 'log format': FORMAT },
      silent: logged,
    },
  });
  const out = join(dir, 'out');
  const runs: string[][] = [
    ['-a', '--no-D', source, daemon.url('m/deep/')],
    ['-a', source, daemon.url('m/new/')],
    ['-a', join(source, 'one'), daemon.url('m/deep/er/renamed')],
    ['-a', daemon.url('m/deep/'), out],
    ['-a', daemon.url('m/deep'), out],
    ['-a', '--delete', join(source, 'sub/'), daemon.url('m/new/')],
    ['-a', daemon.url('m/none'), out],
    ['-an', source, daemon.url('m/dry/')],
    ['-a', '--delete', source, daemon.url('silent/deep/')],
  ];
  if (chroot === 'no') for (const args of runs) args.splice(1, 0, '--no-links');
  for (const args of runs) {
    rmSync(out, { recursive: true, force: true });
    await runProgram(RSYNC, args);
    await daemon.idle();
  }
  const lines = daemon
    .log()
    .replaceAll(dir, 'DIR')
    .replace(/^\d{4}\/\d\d\/\d\d [\d:]{8} \[\d+\] /gm, '')
    .replace(/port \d+$/gm, 'port N')
    .replace(/20[1-9]\d\/\d\d\/\d\d-[\d:]{8}$/gm, 'now')
    .replace(/sent \d+ bytes {2}received \d+ bytes/g, 'sent received')
    .split('\n');
  // What stands before the first transfer is about the probe that waited for the daemon.
  return lines.slice(lines.findIndex((line) => line.startsWith('rsync to ')));
}

for (const chroot of process.getuid?.() === 0 ? ['yes', 'no'] : ['no']) {
  t.test(`what the log says of transfers, chroot ${chroot}`, async (t) => {
    const [ours, theirs] = await Promise.all([logOf(t, TSRSYNC, chroot), logOf(t, RSYNC, chroot)]);
    t.same(ours, theirs);
  });
}
