/** A client that pulls from a sender it does not trust: what was not asked for is not taken. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { RequestedNames } from '../../protocol/flist/requested.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { fakeRemoteShell } from '../lib/remote-shell.js';
import { runProgram } from '../lib/run.js';
import { type Teardown, tempDir } from '../lib/temp.js';

t.setTimeout(60_000);

interface Scene {
  dir: string;
  /** An honest remote shell. */
  honest: string;
  /** One whose sender is given `EVIL` in place of the last argument. */
  evil: string;
}

function scene(t: Teardown): Scene {
  const dir = tempDir(t);
  for (const sub of ['src/sub/deep', 'evil/sub', 'o/sub']) mkdirSync(join(dir, sub), { recursive: true });
  for (const name of ['src/a', 'src/sub/b', 'src/sub/deep/c', 'src/w[1]', 'evil/evil', 'evil/sub/x', 'o/sub/kept']) {
    writeFileSync(join(dir, name), name);
  }
  const evil = join(dir, 'evil-shell');
  const lines = ['#!/bin/bash', 'shift', 'args=("$@")', `unset "args[\${#args[@]}-1]"`, `exec "\${args[@]}" $EVIL`, ''];
  writeFileSync(evil, lines.join('\n'), { mode: 0o755 });
  return { dir, honest: fakeRemoteShell(dir), evil };
}

for (const [asked, sent] of [
  ['src/a', 'evil/'],
  ['src/a', 'evil/evil'],
  ['src/sub', 'evil'],
  ['src/s*', 'evil'],
] as const) {
  t.test(`names that were not asked for are refused: ${asked}, and ${sent} comes`, async (t) => {
    const s = scene(t);
    const args = ['-r', '--delete', '-e', s.evil, `h:${s.dir}/${asked}`, `${s.dir}/o/`];
    const done = await runProgram(TSRSYNC, args, { env: { EVIL: `${s.dir}/${sent}` } });
    t.equal(done.code, 4);
    t.match(done.stderr, /ERROR: rejecting unrequested file-list name: evil\n/);
    t.same(readdirSync(join(s.dir, 'o')), ['sub'], 'nothing was made');
    t.ok(existsSync(join(s.dir, 'o/sub/kept')), 'nothing was deleted');
  });
}

t.test('--trust-sender takes what comes', async (t) => {
  const s = scene(t);
  const args = ['-r', '--trust-sender', '-e', s.evil, `h:${s.dir}/src/a`, `${s.dir}/o/`];
  const done = await runProgram(TSRSYNC, args, { env: { EVIL: `${s.dir}/evil/` } });
  t.equal(done.code, 0, done.stderr);
  t.ok(existsSync(join(s.dir, 'o/evil')));
});

t.test('names that the rules exclude are refused', async (t) => {
  const s = scene(t);
  // The sender is told of another name than the one that the client excludes.
  const shell = join(s.dir, 'deaf-shell');
  const deaf = '$|=1; while (sysread(STDIN, $b, 65536)) { $b =~ s/- evil/- evel/; print $b }';
  writeFileSync(shell, `#!/bin/bash\nshift\nexec "$@" < <(perl -e '${deaf}')\n`, { mode: 0o755 });
  const args = ['-r', '--exclude=evil', '-e', shell, `h:${s.dir}/evil/`, `${s.dir}/o/`];
  const done = await runProgram(TSRSYNC, args, { timeout: 60_000 });
  t.equal(done.code, 4, done.stderr);
  t.match(done.stderr, /ERROR: rejecting excluded file-list name: evil\n/);
});

for (const words of [
  ['-a', 'h:@src/'],
  ['-a', 'h:@src'],
  ['-aR', 'h:@./src/sub/deep'],
  ['-aR', 'h:@src/sub'],
  ['-r', 'h:@src/*'],
  ['-r', 'h:@src/w[1]'],
  ['-d', 'h:@src/'],
  ['-a', 'h:@src/sub/..'],
  ['-a', 'h:@src/a', ':@src/sub/b'],
  ['-r', '--files-from=@names', 'h:@src/'],
  ['-r', '--exclude=sub/', 'h:@src/'],
]) {
  t.test(`an honest sender is not refused: ${words.join(' ')}`, async (t) => {
    const s = scene(t);
    writeFileSync(join(s.dir, 'names'), 'sub/deep\n/a\n./w[1]\n');
    const given = words.map((word) => word.replace('@', `${s.dir}/`));
    const done = await runProgram(TSRSYNC, [
      ...given,
      '-e',
      s.honest,
      `--rsync-path=${RSYNC.remotePath}`,
      `${s.dir}/o/`,
    ]);
    t.equal(done.code, 0, done.stderr);
  });
}

t.test('what was asked for', (t) => {
  const names = (o: { relative?: boolean; recurse?: boolean; dirs?: number }, ...args: string[]) => {
    const requested = new RequestedNames({ relative: false, recurse: true, dirs: 0, ...o });
    for (const arg of args) requested.add(arg);
    return requested;
  };
  const plain = names({}, 'x/dir');
  t.ok(plain.accepts('dir', true));
  t.ok(plain.accepts('dir/any/thing', false));
  t.notOk(plain.accepts('dirt', false), 'a longer name');
  t.notOk(plain.accepts('x/dir', true));
  t.ok(plain.acceptsAllIn('dir/any'));
  t.notOk(plain.acceptsAllIn(''));
  t.ok(plain.isOnlyParent('.'), 'the root was not asked for');
  t.notOk(names({}, 'x/').isOnlyParent('.'));
  t.ok(names({}, 'x/').accepts('anything/at/all', false));
  const flat = names({ recurse: false, dirs: 1 }, 'x/');
  t.ok(flat.accepts('entry', true));
  t.notOk(flat.accepts('entry/below', false));
  const file = names({ recurse: false }, 'x/f');
  t.notOk(file.accepts('f/below', false));
  const relative = names({ relative: true }, 'top/./a/b/c');
  t.ok(relative.accepts('a', true));
  t.ok(relative.isOnlyParent('a'), 'nothing else in it may be deleted');
  t.notOk(relative.accepts('a', false), 'a file in place of a parent');
  t.notOk(relative.accepts('a/other', false));
  t.ok(relative.accepts('/a/b/c/d', false));
  t.notOk(relative.isOnlyParent('a/b/c'));
  const wild = names({}, 'x/*.c', 'x/[ab]');
  t.ok(wild.accepts('main.c', false));
  t.ok(wild.accepts('dir.c/inner', false));
  t.notOk(wild.accepts('main.h', false));
  t.ok(wild.accepts('a', true));
  t.ok(wild.accepts('[ab]', true), 'what a shell leaves alone when nothing matches');
  t.notOk(wild.accepts('c', true));
  t.ok(names({}, 'x/st\\*r').accepts('st*r', false));
  t.notOk(names({}, 'x/st\\*r').accepts('stir', false));
  t.end();
});
