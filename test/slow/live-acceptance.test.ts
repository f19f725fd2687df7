import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { RunningDaemon } from '../lib/daemon.js';
import { allLookSo, lookAt, missing, pause } from '../lib/looks.js';
import { becomesEqual, startInStep } from '../lib/mirror.js';
import { place } from '../lib/mirrored.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { killGroup, run } from '../lib/run.js';
import { memoryDir, type Teardown } from '../lib/temp.js';
import { waitFor } from '../lib/wait.js';
import { holds, type RunningService, startService } from '../live-service/support.js';

/** LIVE_ROUNDS in the environment makes the first two shorter. */
const ROUNDS = Number(process.env.LIVE_ROUNDS ?? 100);
const FOLDER = '/usr/include';
const LIMIT_MS = 60_000;
const DOWN_MS = 60_000;

/** Takes all processors as long as the test runs. */
function makeLoad(t: Teardown): void {
  const child = spawn('sh', ['-c', 'while :; do :; done & while :; do :; done'], { detached: true, stdio: 'ignore' });
  t.teardown(() => killGroup(child, 'SIGKILL'));
}

for (const server of [RSYNC, TSRSYNC]) {
  t.test(`${server.name}: a folder copied in and removed, again and again, under load`, { timeout: 3e6 }, async (t) => {
    const { source, copy, daemon } = await place(t, server);
    const mirror = await startInStep(t, ['-a', '--delete', `${source}/`, daemon.url('m/')]);
    makeLoad(t);
    const looks = lookAt(FOLDER);
    let lost = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await run('cp', ['-a', FOLDER, join(source, 'copied')]);
      const equal = await allLookSo(join(copy, 'copied'), looks, LIMIT_MS);
      if (!equal) lost += missing(join(copy, 'copied'), looks).length;
      await run('rm', ['-rf', join(source, 'copied')]);
      await waitFor(() => !existsSync(join(copy, 'copied')), LIMIT_MS, 'the copy to go');
    }
    t.equal(lost, 0, `files missing in ${ROUNDS} rounds`);
    t.equal(await mirror.stop(), 0);
  });
}

/** Resident memory in KiB, open descriptors, and seconds of processor of a process. */
function holdings(pid: number): { kib: number; descriptors: number; cpu: number } {
  const kib = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    kib,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    cpu: (Number(fields[11]) + Number(fields[12])) / 100,
  };
}

/** Writes a file `count` times and waits for each; returns the median of the milliseconds. */
async function changeAndWait(source: string, copy: string, count: number): Promise<number> {
  const times: number[] = [];
  for (let number = 0; number < count; number++) {
    const text = `${count} ${number} ${Date.now()}`;
    const start = performance.now();
    writeFileSync(join(source, 'file'), text);
    while (!existsSync(join(copy, 'file')) || readFileSync(join(copy, 'file'), 'latin1') !== text) {
      if (performance.now() - start > LIMIT_MS) throw new Error(`change ${number} did not come`);
      await pause(1);
    }
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[count >> 1];
}

t.test('sessions leave nothing behind in the mirror', { timeout: 1_800_000 }, async (t) => {
  const { source, copy, daemon } = await place(t, TSRSYNC);
  const mirror = await startInStep(t, ['-a', '--delete', `${source}/`, daemon.url('m/')]);
  await changeAndWait(source, copy, ROUNDS * 10);
  const before = holdings(mirror.child.pid as number);
  await changeAndWait(source, copy, ROUNDS * 90);
  const after = holdings(mirror.child.pid as number);
  t.comment(JSON.stringify({ before, after }));
  t.ok(after.descriptors <= before.descriptors + 2, 'no descriptor is left open');
  t.ok(after.kib < before.kib + 40_000, 'memory does not grow');
  t.same(readdirSync(copy), ['file'], 'no temporary file is left');
  t.equal(await mirror.stop(), 0);
});

/** A service that mirrors `source` to all of `daemons`; more lines belong to the sync. */
function serviceOf(t: Test, source: string, daemons: readonly RunningDaemon[], more = ''): Promise<RunningService> {
  const dir = memoryDir(t);
  const conf = join(dir, 'live.ini');
  const targets = daemons.map((daemon) => `target = ${daemon.url('m/')}\n`).join('');
  const head = `log file = ${join(dir, 'log')}\nstatus socket = ${join(dir, 'status.socket')}\n`;
  writeFileSync(conf, `${head}options = -a --delete\n[sync one]\nsource = ${source}/\n${targets}${more}`);
  return startService(t, { dir, conf });
}

async function inStep(service: RunningService): Promise<void> {
  const arrived = async () => (await service.status()).syncs[0].targets.every(({ phase }) => phase === 'in step');
  await waitFor(arrived, LIMIT_MS * 5, 'the targets to be in step');
}

t.test('one of two targets down for a minute', { timeout: 600_000 }, async (t) => {
  const [up, down] = [await place(t, RSYNC), await place(t, RSYNC)];
  await inStep(await serviceOf(t, up.source, [up.daemon, down.daemon]));
  const before = await changeAndWait(up.source, up.copy, 300);
  await down.daemon.stop();
  const end = Date.now() + DOWN_MS;
  const meanwhile: number[] = [];
  while (Date.now() < end) meanwhile.push(await changeAndWait(up.source, up.copy, 300));
  const started = Date.now();
  await down.again();
  await holds(join(down.copy, 'file'), readFileSync(join(up.source, 'file'), 'latin1'));
  await becomesEqual(up.source, down.copy);
  const caughtUp = Date.now() - started;
  const slowest = Math.max(...meanwhile);
  t.comment(JSON.stringify({ before, slowest, caughtUp }));
  t.ok(slowest < before * 2, 'the other one is as fast as before');
  t.ok(caughtUp < 10_000, 'it is equal again within seconds');
});

const WATCHES = '/proc/sys/fs/inotify/max_user_watches';

/** Lets a user have watches for all directories below. */
function raiseLimit(t: Teardown): void {
  const before = readFileSync(WATCHES, 'latin1');
  writeFileSync(WATCHES, '300000');
  t.teardown(() => writeFileSync(WATCHES, before));
}

/** fanotify tells of all of a file system: this one has nobody else at work in it. */
function mountMemory(t: Teardown, dir: string): void {
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=1m,mode=755', 'tmpfs', dir]);
  if (status !== 0) throw new Error('no file system of its own could be mounted');
  t.teardown(() => spawnSync('umount', ['-l', dir]));
}

const NO_ROOT = process.getuid?.() !== 0 && 'watches without number and fanotify take root';

t.test('200,000 directories', { timeout: 1_800_000, skip: NO_ROOT }, async (t) => {
  raiseLimit(t);
  const { source, copy, daemon } = await place(t, RSYNC);
  mountMemory(t, source);
  for (let number = 0; number < 200_000; number++) {
    const [one, two] = [Math.floor(number / 10_000), Math.floor(number / 100) % 100];
    if (number % 100 === 0) mkdirSync(join(source, `a${one}/b${two}`), { recursive: true });
    mkdirSync(join(source, `a${one}/b${two}/c${number % 100}`));
  }
  await run(RSYNC.command, ['-a', `${source}/`, `${copy}/`], { timeout: LIMIT_MS * 5 });
  for (const watch of ['inotify', 'fanotify']) {
    await t.test(watch, async (t) => {
      const started = Date.now();
      const service = await serviceOf(t, source, [daemon], `watch = ${watch}\n`);
      await inStep(service);
      const startUp = { ms: Date.now() - started, ...holdings(service.child.pid as number) };
      const change = await changeAndWait(join(source, 'a7/b7/c7'), join(copy, 'a7/b7/c7'), 100);
      const before = holdings(service.child.pid as number);
      await pause(20_000);
      const atRest = holdings(service.child.pid as number).cpu - before.cpu;
      t.comment(JSON.stringify({ startUp, change, atRest }));
      t.ok(atRest < 0.4, `at rest it takes ${atRest} s of processor in 20 s`);
      t.equal(await service.end(), 0);
      rmSync(join(source, 'a7/b7/c7/file'));
      rmSync(join(copy, 'a7/b7/c7/file'));
    });
  }
});
