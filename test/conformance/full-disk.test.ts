import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { normalize, World } from '../lib/routes.js';
import { runProgram } from '../lib/run.js';

const isRoot = process.getuid?.() === 0;
const SIZE = 700_000;

t.test('a full disk', { skip: isRoot ? false : 'mounting needs root' }, async (t) => {
  const world = new World(t);
  const [source, disk] = [world.makeDir('src'), world.makeDir('disk')];
  const random = new Random(8);
  for (const name of ['one', 'two']) writeFileSync(join(source, name), random.bytes(SIZE));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]);
  t.teardown(() => execFileSync('umount', [disk]));
  const place = join(disk, 'copy');
  const daemons = [await world.daemon(RSYNC), await world.daemon(TSRSYNC)];
  const push = [...daemons.map((daemon) => daemon.url('w/disk/copy/')), `${place}/`];
  for (const options of [['-a'], ['-a', '--partial'], ['-a', '--partial-dir=kept'], ['-a', '--inplace']]) {
    const outcomes = [];
    for (const [index, to] of push.entries()) {
      rmSync(place, { recursive: true, force: true });
      mkdirSync(place);
      const done = await runProgram(TSRSYNC, [...options, `${source}/`, to]);
      const message = done.stderr.split('\n')[0].replace(/ on ".*\/two"( \(in w\))?/, '');
      t.same(readFileSync(join(place, 'one')), readFileSync(join(source, 'one')), 'what was whole before stays');
      const names = readdirSync(place, { recursive: true }).sort();
      outcomes.push({ code: done.code, message: normalize(message), names });
      if (index > 0)
        t.same(outcomes[index], outcomes[0], `${options.join(' ')} to ${index === 1 ? 'ours' : 'a directory'}`);
    }
    t.equal(outcomes[0].code, 11);
  }
});
