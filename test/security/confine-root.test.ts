import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { fakeRemoteShell } from '../lib/remote-shell.js';
import { runProgram } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

/*
 * A server with --confine-root, as rsync's own wrapper for restricted directories starts it: rules and paths of options
 * that a client sends must not reach a file outside. Each case is asked of the real program, too.
 */

const dir = tempDir(t);
const root = join(dir, 'root');
mkdirSync(join(root, 'sub'), { recursive: true });
mkdirSync(join(dir, 'outside'));
// Whoever had these read as rules would see which names they hide.
writeFileSync(join(dir, 'secret'), 'word\n');
writeFileSync(join(root, 'list'), 'word\n');
for (const name of ['word', 'sub/word', 'other']) writeFileSync(join(root, name), '');
writeFileSync(join(root, 'sub', '.rules'), 'word\n');
symlinkSync('../secret', join(root, 'link'));
symlinkSync('list', join(root, 'inner-link'));
symlinkSync('../outside', join(root, 'out-dir'));

/** A command for --rsync-path that serves `root` and nothing else. */
function confined(program: Program, to: string): string {
  const path = join(dir, `confined-${program.name}-${to.length}`);
  const words = [program.command, ...program.prefix].map((word) => `'${word}'`).join(' ');
  const lines = ['#!/bin/sh', `cd '${root}'`, 'first=$1; shift', `exec ${words} "$first" '--confine-root=${to}' "$@"`];
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o755 });
  return path;
}

const shell = ['-e', fakeRemoteShell(dir)];

async function pulled(server: Program, filter: string, to = root): Promise<string[]> {
  const args = [...shell, `--rsync-path=${confined(server, to)}`, '-rn', '--out-format=%n', `--filter=${filter}`];
  const { code, stdout, stderr } = await runProgram(RSYNC, [...args, 'host:.', join(dir, 'dst/')]);
  t.equal(code, 0, stderr);
  return stdout.split('\n').filter((name) => name.endsWith('word'));
}

for (const server of [RSYNC, TSRSYNC]) {
  t.test(`rules that a client names, ${server.name}`, async (t) => {
    const all = ['word', 'sub/word'];
    t.same(await pulled(server, ':-s ../secret'), all, 'a file outside');
    t.same(await pulled(server, ':-s link'), all, 'a link that leads out');
    t.same(await pulled(server, ':-s inner-link'), [], 'a link inside');
    t.same(await pulled(server, ':-s .rules'), ['word'], 'a file inside');
    t.same(await pulled(server, ':-s ../secret', '/'), [], 'the root of the system is no limit');
  });

  t.test(`names and directories of options, ${server.name}`, async (t) => {
    const path = `--rsync-path=${confined(server, root)}`;
    const names = await runProgram(RSYNC, [
      ...shell,
      path,
      '-rn',
      `--files-from=:${join(dir, 'secret')}`,
      'host:.',
      dir,
    ]);
    t.not(names.code, 0);
    t.notMatch(names.stdout + names.stderr, /^word$/m);
    const source = join(dir, 'source');
    mkdirSync(source, { recursive: true });
    writeFileSync(join(source, 'other'), 'newer');
    await runProgram(RSYNC, [...shell, path, '-rb', '--backup-dir=../outside', `${source}/`, 'host:.']);
    await runProgram(RSYNC, [...shell, path, '-rb', '--backup-dir=out-dir', `${source}/`, 'host:.']);
    t.notOk(existsSync(join(dir, 'outside/other')), 'a backup stays inside');
    for (const [backups, text] of [
      ['kept', 'newer'],
      [join(root, 'kept'), 'newest'],
    ]) {
      writeFileSync(join(source, 'other'), `${text} of ${server.name}`);
      const { code, stderr } = await runProgram(RSYNC, [
        ...shell,
        path,
        '-rb',
        `--backup-dir=${backups}`,
        `${source}/`,
        'host:.',
      ]);
      t.equal(code, 0, stderr);
      t.ok(existsSync(join(root, 'kept/other')), 'a directory inside, by either path');
      rmSync(join(root, 'kept'), { recursive: true });
    }
  });
}

t.test('what is no limit', async (t) => {
  for (const [args, text] of [
    [['--confine-root=relative'], '--confine-root must be an absolute path'],
    [['--confine-root=/x', '--insecure-links'], '--insecure-links cannot be combined with --confine-root'],
    [['--confine-root=/not/there'], '--confine-root: /not/there: No such file or directory'],
  ] as const) {
    const { code, stderr } = await runProgram(TSRSYNC, ['--server', '--sender', ...args, '.', '.']);
    t.equal(code, 1);
    t.match(stderr, text);
  }
});
