import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { World } from '../lib/routes.js';
import { run } from '../lib/run.js';
import { waitFor } from '../lib/wait.js';

const MIB = 1 << 20;
/** Sizes around those at which the copy changes its way: read and write, or inside the kernel, in one piece or many. */
const SIZES = [0, 1, 4096, 256 * 1024 + 1, 512 * 1024 - 1, 512 * 1024, 8 * MIB, 8 * MIB + 1, 17 * MIB + 5];

function makeSource(world: World): string {
  const dir = world.makeDir('src');
  const random = new Random(3);
  const bytes = random.bytes(18 * MIB);
  for (const size of SIZES) writeFileSync(join(dir, `file-${size}`), bytes.subarray(0, size));
  writeFileSync(join(dir, 'holes'), bytes.subarray(0, 70_000));
  truncateSync(join(dir, 'holes'), 3 * MIB);
  return dir;
}

function sameContents(t: Test, from: string, to: string): void {
  for (const name of [...SIZES.map((size) => `file-${size}`), 'holes']) {
    t.ok(readFileSync(join(from, name)).equals(readFileSync(join(to, name))), name);
  }
}

/** Lines about bytes that do not depend on how the stream was cut. */
function totals(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => /^(Number of (created|regular)|Total (transferred )?file|Literal|Matched)/.test(line));
}

const VARIANTS: readonly string[][] = [
  [],
  ['-S'],
  ['--inplace'],
  ['--preallocate'],
  ['--no-whole-file'],
  ['--bwlimit=100M'],
  ['-z'],
  ['--append'],
  ['--partial-dir=.part', '--delay-updates'],
  ['--out-format=%n %b %C'],
];

t.test('whole files arrive whole, and are counted as rsync counts them', async (t) => {
  const world = new World(t);
  const source = makeSource(world);
  for (const [number, args] of VARIANTS.entries()) {
    await t.test(args.join(' ') || 'plain', async (t) => {
      const [own, theirs] = [TSRSYNC, RSYNC].map((program) => ({
        program,
        dir: world.path(`${program.name}-${number}`),
      }));
      const results = [];
      for (const { program, dir } of [own, theirs]) {
        results.push(await run(program.command, [...program.prefix, '-a', '--stats', ...args, `${source}/`, dir]));
      }
      for (const result of results) t.equal(result.code, 0, result.stderr);
      t.same(totals(results[0].stdout), totals(results[1].stdout));
      sameContents(t, source, own.dir);
      if (args[0] === '-S') t.ok(statSync(join(own.dir, 'holes')).blocks * 512 < MIB, 'holes stay holes');
    });
  }
  const large = 17 * MIB + 5;
  await t.test('--progress shows the way to the end', async (t) => {
    const args = [...TSRSYNC.prefix, '-a', '--progress', join(source, `file-${large}`), join(source, 'file-1')];
    const { code, stdout } = await run(TSRSYNC.command, [...args, `${world.makeDir('shown')}/`]);
    t.equal(code, 0);
    t.match(stdout, /\r +17,825,797 100% .*\(xfr#2, to-chk=0\/2\)\n/);
    t.match(stdout, /\r +1 100% .*\(xfr#1, to-chk=1\/2\)\n/);
  });
});

/** Files that differ from those of the target in every way that a search can meet. */
function makeDifferences(world: World): void {
  const random = new Random(9);
  const old = random.bytes(3 * MIB);
  const edited = Buffer.concat([old.subarray(0, MIB), Buffer.from('new'), old.subarray(MIB)]);
  for (let i = 0; i < 8; i++) edited[random.int(edited.length)] ^= 0x55;
  const pieces = Array.from({ length: 500 }, (_, i) => old.subarray(i * 5000, (i + 1) * 5000));
  const [from, to] = [world.makeDir('new'), world.makeDir('old')];
  const files: [string, Buffer, Buffer][] = [
    ['edited', edited, old],
    ['short', edited.subarray(0, 14_013), old.subarray(0, 14_010)],
    ['mixed', Buffer.concat(pieces.reverse()), old],
    ['zeros', Buffer.alloc(MIB), Buffer.alloc(MIB - 5)],
  ];
  for (const [name, data, basis] of files) {
    writeFileSync(join(from, name), data);
    writeFileSync(join(to, name), basis);
  }
}

t.test('differences: what is literal and what is matched is what rsync has', async (t) => {
  const world = new World(t);
  makeDifferences(world);
  for (const extra of [[], ['-B', '3000'], ['-z'], ['-z', '--zc=zlib'], ['--cc=md5'], ['--cc=xxh64']]) {
    const results = [];
    for (const program of [TSRSYNC, RSYNC]) {
      const target = world.path(`${program.name}-differences`);
      cpSync(world.path('old'), target, { recursive: true });
      const args = ['-a', '-I', '--no-whole-file', '--stats', ...extra, `${world.path('new')}/`, target];
      const { code, stdout, stderr } = await run(program.command, [...program.prefix, ...args]);
      t.equal(code, 0, stderr);
      for (const name of ['edited', 'short', 'mixed', 'zeros']) {
        t.ok(readFileSync(join(target, name)).equals(readFileSync(join(world.path('new'), name))), name);
      }
      results.push(totals(stdout));
      rmSync(target, { recursive: true });
    }
    t.same(results[0], results[1], extra.join(' '));
  }
});

t.test('an old file gives way to the new one in one step, and over itself in place', async (t) => {
  const world = new World(t);
  const source = makeSource(world);
  for (const args of [[], ['--inplace'], ['-W'], ['--inplace', '-W']]) {
    const target = world.makeDir(`old${args.join('')}`);
    for (const size of SIZES) writeFileSync(join(target, `file-${size}`), Buffer.alloc(9 * MIB, 7));
    const { code, stderr } = await run(TSRSYNC.command, [...TSRSYNC.prefix, '-a', ...args, `${source}/`, target]);
    t.equal(code, 0, stderr);
    sameContents(t, source, target);
  }
});

t.test('a file that is shorter than it seemed', async (t) => {
  const world = new World(t);
  // This one says that it has 4096 bytes, and has two.
  const short = '/sys/kernel/profiling';
  const results = [];
  for (const program of [TSRSYNC, RSYNC]) {
    const dir = world.makeDir(program.name);
    writeFileSync(join(dir, 'profiling'), 'old');
    const { code, stderr } = await run(program.command, [...program.prefix, '-a', '-I', short, `${dir}/`]);
    results.push({ code, stderr: stderr.replace(/\(code 23\).*/s, '') });
    t.equal(readFileSync(join(dir, 'profiling'), 'latin1'), 'old', `${program.name} keeps the old file`);
  }
  t.same(results[0], results[1]);
  t.equal(results[0].code, 23);
});

t.test('files that grow and shrink after they were listed, and are counted as they are', async (t) => {
  const world = new World(t);
  const source = world.makeDir('src');
  const count = 20_000;
  const size = 100;
  const names = Array.from({ length: count }, (_, i) => join('d', `f${String(i).padStart(5, '0')}`));
  mkdirSync(join(source, 'd'));
  for (const name of names) writeFileSync(join(source, name), Buffer.alloc(size, 'x'));
  const [grown, cut, emptied] = names.slice(-3).map((name) => join(source, name));
  for (let tries = 0; ; tries++) {
    for (const name of [grown, cut, emptied]) writeFileSync(name, Buffer.alloc(size, 'x'));
    const target = world.path(`dst-${tries}`);
    const running = run(TSRSYNC.command, [...TSRSYNC.prefix, '-a', '--stats', `${source}/`, `${target}/`]);
    await waitFor(() => existsSync(join(target, names[99])), 30_000, 'the first files');
    writeFileSync(grown, Buffer.alloc(700_000, 'y'));
    writeFileSync(cut, Buffer.alloc(7, 'y'));
    writeFileSync(emptied, '');
    const isInTime = !existsSync(join(target, names[count - 100]));
    const { code, stdout, stderr } = await running;
    // The machine was busy with other things.
    if (!isInTime && tries < 10) continue;
    t.equal(code, 0, stderr);
    t.match(stdout, `Literal data: ${(size * (count - 3) + 700_007).toLocaleString('en')} bytes`);
    t.match(stdout, `Total transferred file size: ${(size * count).toLocaleString('en')} bytes`);
    t.match(stdout, `Number of regular files transferred: ${count.toLocaleString('en')}`);
    for (const path of [grown, cut, emptied]) {
      t.ok(readFileSync(path).equals(readFileSync(path.replace(source, target))), path);
    }
    return;
  }
});

t.test('many files where few may be open at a time', async (t) => {
  const world = new World(t);
  const source = world.makeDir('src');
  const names = Array.from({ length: 2000 }, (_, i) => join(`d${i % 4}`, `f${i}`));
  for (const dir of ['d0', 'd1', 'd2', 'd3']) mkdirSync(join(source, dir));
  const deep = join(...Array.from({ length: 20 }, (_, i) => `e${i}`));
  for (let dir = deep; dir !== '.'; dir = dirname(dir)) names.push(join(dir, 'f'));
  mkdirSync(join(source, deep), { recursive: true });
  for (const name of names) writeFileSync(join(source, name), name);
  for (const limit of [700, 256, 64]) {
    const target = world.path(`dst-${limit}`);
    const copy = [TSRSYNC.command, ...TSRSYNC.prefix, '-a', `${source}/`, `${target}/`];
    const result = await run('/bin/sh', ['-c', `ulimit -n ${limit}; exec "$@"`, 'sh', ...copy]);
    t.equal(result.code, 0, result.stderr);
    const right = names.filter((name) => readFileSync(join(target, name), 'latin1') === name);
    t.equal(right.length, names.length, `${limit} open files`);
  }
});
