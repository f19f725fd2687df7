import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { becomesEqual } from '../lib/mirror.js';
import { waitFor } from '../lib/wait.js';
import { live, scene, startService } from './support.js';

const WATCHES = 25;
/** A user name space has a limit of watches of its own, so that nobody else meets it. */
const WITH_LIMIT = [
  'unshare',
  '--user',
  '--map-root-user',
  'sh',
  '-c',
  `echo ${WATCHES} > /proc/sys/user/max_inotify_watches && exec "$@"`,
  'sh',
];
const mayLimit = spawnSync(WITH_LIMIT[0], [...WITH_LIMIT.slice(1), 'true']).status === 0;

t.test('more directories than watches', { skip: mayLimit ? false : 'no user name spaces here' }, async (t) => {
  const s = await scene(t, ['m']);
  for (let i = 0; i < 40; i++) {
    mkdirSync(join(s.source, `d${i}`));
    writeFileSync(join(s.source, `d${i}/before`), String(i));
  }
  s.configure(`poll = 300 ms\n[sync s]\nsource = ${s.source}/\ntarget = ${s.daemon.url('m')}\noptions = -a --delete\n`);
  const service = await startService(t, s, { within: WITH_LIMIT });
  await becomesEqual(s.source, s.at('m', ''));
  t.match(s.log(), /has 41 directories, .*sysctl -w fs\.inotify\.max_user_watches=\d+ .*is compared every 0\.3 s/);
  t.match(s.log(), new RegExp(`\\(inotify, ${WATCHES} watches\\)`));
  for (let i = 0; i < 40; i++) writeFileSync(join(s.source, `d${i}/after`), String(i));
  mkdirSync(join(s.source, 'd39/new/deep'), { recursive: true });
  writeFileSync(join(s.source, 'd39/new/deep/file'), 'deep');
  rmSync(join(s.source, 'd38'), { recursive: true });
  await becomesEqual(s.source, s.at('m', ''));
  t.equal(await service.end(), 0);
});

t.test('a delete guard holds back until it is resumed, and others go on', async (t) => {
  const s = await scene(t, ['guarded', 'free']);
  const sync = (name: string, more: string) =>
    `[sync ${name}]\nsource = ${s.source}/\ntarget = ${s.daemon.url(name)}\noptions = -a --delete\n${more}`;
  s.configure(sync('guarded', 'delete guard = 50 %\ndelete guard from = 5\n') + sync('free', ''));
  for (let i = 0; i < 20; i++) writeFileSync(join(s.source, `file${i}`), 'x');
  const service = await startService(t, s);
  await becomesEqual(s.source, s.at('guarded', ''));
  await live(['pause', 'guarded', '-c', s.conf]);
  for (let i = 0; i < 18; i++) rmSync(join(s.source, `file${i}`));
  await becomesEqual(s.source, s.at('free', ''));
  await live(['resume', 'guarded', '-c', s.conf]);
  await waitFor(
    () => /of about \d+ entries would be deleted, more than 50 %: held back/.test(s.log()),
    20_000,
    'the guard',
  );
  t.match((await live(['status', '-c', s.conf])).stdout, /^guarded +\S+ +paused/m);
  t.equal((await live(['resume', 'guarded', '-c', s.conf])).code, 0);
  await becomesEqual(s.source, s.at('guarded', ''));
  t.equal(await service.end(), 0);
});
