import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { diffDirs } from '../lib/compare.js';
import { type Program, RSYNC, SELF_CHECK, TSRSYNC } from '../lib/project.js';
import { normalize, type Route, World } from '../lib/routes.js';
import { type RunResult, run, runProgram } from '../lib/run.js';
import { buildTree, cutTree, editTree, settleDirs } from '../lib/tree.js';

/*
 * Batch files: what one program writes, the other one reads, with the files, the words and the exit codes of the real one.
 * `old` is what destinations have at first.
 */

const PAIRS: readonly (readonly [Program, Program])[] = [
  [RSYNC, TSRSYNC],
  [TSRSYNC, RSYNC],
];

/** Options, and the way of the run that writes. */
const CASES: readonly (readonly [readonly string[], Route['way'], Route['direction']])[] = [
  [['-avH', '--delete'], 'local', 'push'],
  [['-aiizX'], 'shell', 'push'],
  [['-aivz'], 'daemon', 'pull'],
  [['-av', '--no-inc-recursive', '--delete-after'], 'daemon', 'push'],
  [['-avc', '--protocol=31'], 'shell', 'pull'],
  [['-avH', '--protocol=30', '--inplace'], 'local', 'push'],
  [['-avz', '--protocol=29'], 'daemon', 'pull'],
  [['-av', '--protocol=28', '-W'], 'daemon', 'push'],
];

async function prepare(world: World): Promise<void> {
  const tree = buildTree(world.path('src'), {
    seed: 4,
    files: 40,
    dirs: 9,
    hardLinks: true,
    owners: true,
    oddNames: true,
  });
  await run('cp', ['-a', world.path('src'), world.path('old')]);
  // One value that fits into a list, and one that is asked for.
  const [name] = tree.files.filter((file) => /^[\x20-\x7e]*$/.test(file));
  for (const length of [9, 900]) {
    await run('setfattr', ['-n', `user.of${length}`, '-v', 'x'.repeat(length), `${world.path('src')}/${name}`]);
  }
  const old = { ...tree, root: world.path('old') };
  cutTree(old, 5, 6);
  editTree(old, 6, 12);
  writeFileSync(world.path('old/surplus'), 'x');
  settleDirs(old, 7);
}

/** A destination as it was before. */
async function destination(world: World, name: string): Promise<string> {
  rmSync(world.path(name), { recursive: true, force: true });
  await run('cp', ['-a', world.path('old'), world.path(name)]);
  return world.path(name);
}

/** What was printed; the roles of rsync are processes, whose lines come in any order. */
function lines(result: RunResult): string[] {
  return normalize(result.stdout).split('\n').sort();
}

function read(
  program: Program,
  world: World,
  args: readonly string[],
  dest: string,
  batch = 'batch',
): Promise<RunResult> {
  return runProgram(program, [...args, `--read-batch=${world.path(batch)}`, `${dest}/`], { timeout: 20_000 });
}

t.test('what one program writes the other one reads', { timeout: 240_000 }, async (t) => {
  const world = new World(t);
  await prepare(world);
  for (const [args, way, direction] of CASES) {
    for (const [writer, reader] of PAIRS) {
      await t.test(`${args.join(' ')}, ${way} ${direction}: ${writer.name} to ${reader.name}`, async (t) => {
        const route: Route = { way, client: writer, server: RSYNC, direction, protocol: null };
        const first = await destination(world, 'first');
        const batch = `--write-batch=${world.path('batch')}`;
        const written = await world.copy(route, [...args, batch], 'src/', 'first/');
        t.equal(written.code, 0, written.stderr);
        const second = await destination(world, 'second');
        const result = await read(reader, world, args, second);
        t.equal(result.code, 0, result.stderr);
        t.same(diffDirs(first, second), []);
        if (reader === RSYNC) return;
        if (args.some((arg) => /^-\w*X/.test(arg))) {
          const differences = await runProgram(RSYNC, ['-aXnic', `${world.path('src')}/`, `${second}/`]);
          t.notMatch(differences.stdout, /^.f.{8}x/m, 'extended attributes');
        }
        const third = await destination(world, 'third');
        const expected = await read(RSYNC, world, args, third);
        t.same(lines(result), lines(expected));
      });
    }
  }
});

t.test('--only-write-batch leaves the destination alone', { timeout: 120_000 }, async (t) => {
  const world = new World(t);
  await prepare(world);
  const routes: Route[] = [
    { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null },
    { way: 'daemon', client: TSRSYNC, server: RSYNC, direction: 'push', protocol: null },
    { way: 'daemon', client: TSRSYNC, server: RSYNC, direction: 'pull', protocol: null },
    { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  ];
  for (const route of routes) {
    const dest = await destination(world, 'dest');
    const args = ['-avz', '--stats', '--delete', `--only-write-batch=${world.path('batch')}`];
    const written = await world.copy(route, args, 'src/', 'dest/');
    t.equal(written.code, 0, written.stderr);
    t.match(written.stdout, /\(BATCH ONLY\)/);
    t.same(diffDirs(await destination(world, 'untouched'), dest), []);
    for (const reader of [RSYNC, TSRSYNC]) {
      const result = await read(reader, world, ['-a', '--delete'], await destination(world, 'dest'));
      t.equal(result.code, 0, result.stderr);
      t.same(diffDirs(world.path('src'), dest, { hardLinks: false }), [], `${reader.name} reads it`);
    }
    // rsync does not come to an end of this.
    if (route.direction === 'pull') continue;
    await destination(world, 'dest');
    const expected = await world.copy({ ...route, client: RSYNC, server: RSYNC }, args, 'src/', 'dest/');
    t.same(lines(written), lines(expected));
  }
});

t.test('the script beside a batch file reads it', async (t) => {
  const world = new World(t);
  await prepare(world);
  const rules = ['--exclude=*.o', '-f', "+ it's", '--include', 'a'];
  const scripts: string[] = [];
  for (const program of [RSYNC, TSRSYNC]) {
    const dest = await destination(world, 'dest');
    const src = `${world.path('src')}/`;
    await runProgram(program, ['-a', ...rules, '-M--x', '--partial-dir=.p', '--only-write-batch', 'b', src, 'dest/'], {
      cwd: world.dir,
    });
    await runProgram(program, ['-a', ...rules, '--partial-dir=.p', '--write-batch=b', src, 'dest/'], {
      cwd: world.dir,
    });
    const script = readFileSync(world.path('b.sh'), 'latin1');
    scripts.push(script.replace(/^'[^']*'/, 'PROGRAM'));
    const other = await destination(world, 'other');
    if (SELF_CHECK || program === RSYNC) continue;
    const command = script.replace(
      /^'[^']*'/,
      [program.command, ...program.prefix].map((word) => `'${word}'`).join(' '),
    );
    const result = await run('/bin/sh', ['-c', command, 'sh', 'other/'], { cwd: world.dir });
    t.equal(result.code, 0, result.stderr);
    t.same(diffDirs(dest, other, { hardLinks: false }), []);
  }
  t.equal(scripts[1], scripts[0]);
});

t.test('a destination that is not what it was, and files that are no batch', { timeout: 120_000 }, async (t) => {
  const world = new World(t);
  world.makeDir('src/d');
  const content = Buffer.alloc(90_000, 'some text, ');
  const put = (dir: string, name: string, data: string | Buffer) => {
    mkdirSync(world.path(`${dir}/d`), { recursive: true });
    writeFileSync(world.path(`${dir}/${name}`), data);
  };
  for (const name of ['one', 'two', 'three']) put('src', name, name);
  put('src', 'd/big', Buffer.concat([content, Buffer.from('end')]));
  const lay = (dir: string, files: Record<string, string | Buffer>) => {
    rmSync(world.path(dir), { recursive: true, force: true });
    for (const [name, data] of Object.entries(files)) put(dir, name, data);
  };
  const old = { one: 'one', 'd/big': content };
  lay('dest', old);
  const local: Route = { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null };
  await world.copy(local, ['-rlpt', '--size-only', `--write-batch=${world.path('batch')}`], 'src/', 'dest/');
  const batch = readFileSync(world.path('batch'));
  writeFileSync(world.path('foreign'), content);
  writeFileSync(world.path('newer'), Buffer.concat([batch.subarray(0, 4), Buffer.from([99, 0, 0, 0])]));
  writeFileSync(world.path('short'), batch.subarray(0, 10));
  const both = async (files: Record<string, string | Buffer>, args: readonly string[], name: string) => {
    const results: RunResult[] = [];
    for (const program of [RSYNC, TSRSYNC]) {
      lay('dest', files);
      results.push(await read(program, world, args, world.path('dest'), name));
    }
    const [expected, actual] = results;
    t.equal(actual.code, expected.code, `${name} ${args.join(' ')}: ${expected.code}`);
    t.equal(normalize(actual.stdout), normalize(expected.stdout));
    t.equal(normalize(actual.stderr), normalize(expected.stderr));
  };
  await both(old, ['-v'], 'batch');
  await both(old, ['-avcz', '--size-only', '--no-inc-recursive'], 'batch');
  await both(old, ['-rlpti', '--size-only', '-n'], 'batch');
  await both({ 'd/big': content }, ['-rlpti', '--size-only'], 'batch');
  await both({ ...old, two: 'two' }, ['-rlpti', '--size-only'], 'batch');
  await both({ one: 'one' }, ['-rlpti', '--size-only'], 'batch');
  await both(old, ['-rlpt', '--protocol=29'], 'batch');
  for (const name of ['foreign', 'newer', 'short', 'src', 'none', '../dev/null']) await both(old, ['-r'], name);
  // rsync waits for ever for what is cut off, and for a second try that is not in the batch.
  const own = async (files: Record<string, string | Buffer>, code: number, name: string, text: RegExp) => {
    lay('dest', files);
    const result = await read(TSRSYNC, world, ['-rlpt', '--size-only'], world.path('dest'), name);
    t.equal(result.code, code, result.stderr);
    t.match(result.stderr, text);
    t.same(readFileSync(world.path('dest/d/big')), files['d/big'], 'the old file is still there');
  };
  if (SELF_CHECK) return;
  await own(
    { ...old, 'd/big': Buffer.alloc(90_000, 'other') },
    23,
    'batch',
    /No batched update for resend of "d\/big"/,
  );
  for (const length of [11, 60, 150, batch.length - 60]) {
    writeFileSync(world.path('cut'), batch.subarray(0, length));
    await own(old, 12, 'cut', /connection unexpectedly closed/);
  }
});
