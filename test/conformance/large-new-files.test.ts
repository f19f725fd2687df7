import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { type Fault, startRelay } from '../lib/relay.js';
import { normalize, PAIRS, World } from '../lib/routes.js';
import { type RunResult, runProgram } from '../lib/run.js';
import { waitFor } from '../lib/wait.js';

/* Large files that are new: whole, cut off, damaged on the way, without room. */

const MIB = 1024 * 1024;
const SIZE = 40 * MIB + 4321;
const isRoot = process.getuid?.() === 0;
const content = Buffer.concat(new Array(5).fill(new Random(31).bytes(SIZE / 5)));
for (let at = 0; at < content.length; at += 4096) content.writeUInt32LE(at, at);

function makeSource(world: World): void {
  const source = world.makeDir('src');
  writeFileSync(join(source, 'large'), content);
  writeFileSync(join(source, 'next'), content.subarray(7, 9 * MIB));
  writeFileSync(join(source, 'small'), 'small');
}

function isWhole(t: Test, dir: string): void {
  t.ok(readFileSync(join(dir, 'large')).equals(content), 'the first is right');
  t.ok(readFileSync(join(dir, 'next')).equals(content.subarray(7, 9 * MIB)), 'the next is right');
  t.equal(readFileSync(join(dir, 'small'), 'latin1'), 'small');
}

/** What --partial has left is the front of the file. */
function isFront(t: Test, path: string, least: number): void {
  const there = readFileSync(path);
  t.ok(there.length >= least && there.length < content.length, `${there.length} bytes were kept`);
  t.ok(there.equals(content.subarray(0, there.length)), 'without a gap');
}

t.test('every way over a socket, with options that concern writing', async (t) => {
  const world = new World(t);
  makeSource(world);
  let number = 0;
  const check = async (pair: (typeof PAIRS)[number], direction: 'push' | 'pull', args: string[]): Promise<void> => {
    const target = `to-${number++}`;
    const way = number % 3 === 0 ? 'shell' : 'daemon';
    const done = await world.copy({ ...pair, direction, way, protocol: null }, ['-a', ...args], 'src/', `${target}/`);
    t.equal(done.code, 0, `${pair.client.name} ${direction} ${way} ${args.join(' ')}: ${done.stderr}`);
    isWhole(t, world.path(target));
    rmSync(world.path(target), { recursive: true });
  };
  for (const pair of PAIRS) {
    await check(pair, 'push', []);
    await check(pair, 'pull', []);
  }
  for (const args of [['--inplace', '--progress'], ['-S'], ['--preallocate', '--fsync'], ['-z']]) {
    await check(PAIRS[0], 'pull', args);
    await check(PAIRS[1], 'push', args);
  }
});

/** Pulls from a daemon through a relay that puts a fault into what it sends. */
async function pullWith(t: Test, world: World, client: Program, fault: Fault, args: string[]): Promise<RunResult> {
  const daemon = await world.daemon(RSYNC);
  const relay = await startRelay(t, daemon.port, fault, false);
  return runProgram(client, ['-a', ...args, `rsync://127.0.0.1:${relay.port}/w/src/`, `${world.path('to')}/`]);
}

t.test('a bit that has changed on the way: the file is fetched again', async (t) => {
  const world = new World(t);
  makeSource(world);
  const fault: Fault = { direction: 's2c', after: 20 * MIB, flip: true };
  const done = await pullWith(t, world, TSRSYNC, fault, ['-v']);
  t.equal(done.code, 0, done.stderr);
  t.match(done.stdout + done.stderr, /large failed verification -- update discarded \(will try again\)/);
  isWhole(t, world.path('to'));
});

t.test('a sender that goes away in the middle', async (t) => {
  const world = new World(t);
  makeSource(world);
  const fault: Fault = { direction: 's2c', after: 30 * MIB };
  for (const args of [[], ['--partial'], ['--partial-dir=kept']]) {
    const outcomes = [];
    for (const client of [RSYNC, TSRSYNC]) {
      mkdirSync(world.path('to'), { recursive: true });
      const done = await pullWith(t, world, client, fault, args);
      const names = readdirSync(world.path('to'), { recursive: true }).sort();
      outcomes.push({ code: done.code, names });
      if (args[0] === '--partial') isFront(t, world.path('to/large'), 29 * MIB);
      rmSync(world.path('to'), { recursive: true });
    }
    t.same(outcomes[1], outcomes[0], args.join(' '));
  }
});

t.test('a full disk', { skip: isRoot ? false : 'mounting needs root' }, async (t) => {
  const world = new World(t);
  makeSource(world);
  const disk = world.makeDir('disk');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', disk]);
  t.teardown(() => execFileSync('umount', [disk]));
  const place = join(disk, 'copy');
  const from = await world.daemon(RSYNC);
  for (const options of [[], ['--partial'], ['--inplace']]) {
    const outcomes = [];
    for (const client of [RSYNC, TSRSYNC]) {
      mkdirSync(place);
      const done = await runProgram(client, ['-a', ...options, from.url('w/src/'), `${place}/`]);
      const message = normalize(done.stderr.split('\n')[0]);
      outcomes.push({ code: done.code, message, names: readdirSync(place).sort() });
      if (options.length > 0) isFront(t, join(place, 'large'), 15 * MIB);
      rmSync(place, { recursive: true });
    }
    t.same(outcomes[1], outcomes[0], options.join(' '));
    t.equal(outcomes[0].code, 11);
  }
});

t.test('a signal in the middle leaves what --partial asks for', async (t) => {
  const world = new World(t);
  makeSource(world);
  const target = world.makeDir('to');
  const daemon = await world.daemon(TSRSYNC);
  const relay = await startRelay(t, daemon.port, { direction: 's2c', after: 24 * MIB, stall: true }, false);
  const inFlight = (): string | undefined => readdirSync(target).find((name) => name.startsWith('.large.'));
  let stop = (): void => {};
  const running = runProgram(TSRSYNC, ['-a', '--partial', `rsync://127.0.0.1:${relay.port}/w/src/`, `${target}/`], {
    started: (child) => (stop = () => child.kill('SIGINT')),
  });
  const isFar = (): boolean => {
    const name = inFlight();
    return name !== undefined && statSync(join(target, name)).size > 20 * MIB;
  };
  await waitFor(isFar, 30_000, 'data to arrive');
  stop();
  t.equal((await running).code, 20);
  isFront(t, join(target, 'large'), 20 * MIB);
  t.equal(inFlight(), undefined);
});
