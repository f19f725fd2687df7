import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import tap, { type Test } from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { World } from '../lib/routes.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

/** Lines of --debug that tell of choices: ours are those of the real program. */

async function linesOf(
  t: Test,
  world: World,
  program: Program,
  options: string,
  way: 'local' | 'shell',
): Promise<string[]> {
  const route = { way, client: program, server: RSYNC, direction: 'push', protocol: null } as const;
  const done = await world.copy(route, options.split(' '), 'src/', 'dest/', { cwd: world.dir });
  t.equal(done.code, 0, done.stderr);
  return done.stdout.split('\n').filter((line) => /^(Client|Server|fuzzy (basis|size)) /.test(line));
}

async function compare(t: Test, world: World, options: string, way: 'local' | 'shell' = 'local'): Promise<void> {
  const expected = await linesOf(t, world, RSYNC, options, way);
  t.ok(expected.length > 0, `${options}: rsync says something`);
  t.same(await linesOf(t, world, TSRSYNC, options, way), expected, `${options} (${way})`);
}

tap.test('--debug=nstr: what was negotiated', async (t) => {
  const world = new World(t);
  writeFileSync(`${world.makeDir('src')}/file`, 'text');
  for (const options of [
    '--debug=nstr',
    '--debug=nstr2 -z',
    '--debug=nstr -zz --zl=99',
    '--debug=nstr -z --zc=lz4 --zl=7',
    '--debug=nstr -z --zc=zlibx --zl=0',
    '--debug=nstr -z --zc=zlib --zl=-1',
    '--debug=nstr --zc=none --zl=2',
    '--debug=nstr2 -c --cc=md5,sha1',
    '--debug=nstr2 -z --zl=-5 --protocol=30',
    '--debug=nstr2 -z --protocol=29',
  ]) {
    await compare(t, world, `-nr ${options}`);
  }
  await compare(t, world, '-nr --debug=nstr3 -z', 'shell');
});

tap.test('--debug=fuzzy: which file is the basis', async (t) => {
  const world = new World(t);
  const [src, dest, other] = ['src', 'dest', 'other'].map((name) => `${world.makeDir(name)}/dir`);
  for (const dir of [src, dest, other]) mkdirSync(dir);
  const put = (path: string, content: string, time: number) => {
    writeFileSync(path, content);
    utimesSync(path, time, time);
  };
  put(`${src}/archive-v2.tar`, 'new content', 1_000_000_000);
  put(`${src}/unlike`, 'state', 1_100_000_000);
  for (const name of ['archive-v1.tar', 'archive-old.tar', 'unrelated.dat']) put(`${dest}/${name}`, name, 900_000_000);
  put(`${other}/moved`, 'state', 1_100_000_000);
  put(`${other}/archive-v3.tar`, 'another', 900_000_000);
  for (const options of ['--fuzzy', '--fuzzy --fuzzy --compare-dest=../other']) {
    await compare(t, world, `-nrt --no-whole-file --debug=fuzzy2 ${options}`);
  }
});

tap.test('--debug=nstr: the digest of a login', async (t) => {
  const dir = tempDir(t);
  const daemon = await startDaemon(t, RSYNC, {
    dir,
    secrets: ['joe:right'],
    modules: { m: { path: dir, 'auth users': 'joe', 'secrets file': `${dir}/secrets` } },
  });
  for (const debug of ['nstr', 'nstr2', 'proto']) {
    const args = [`--debug=${debug}`, '--include=/none', '--exclude=*', daemon.url('m/', 'joe')];
    const [real, ours] = await Promise.all(
      [RSYNC, TSRSYNC].map((program) => runProgram(program, args, { env: { RSYNC_PASSWORD: 'right' } })),
    );
    t.equal(ours.stdout, real.stdout, debug);
    t.match(real.stdout, debug === 'proto' ? /^\(Client\) Protocol versions/ : /daemon auth checksum/);
  }
});
