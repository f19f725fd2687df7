import { chmodSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { diffDirs, readTree } from './compare.js';
import { startDaemon } from './daemon.js';
import { hostileClient, hostileServer } from './hostile.js';
import { RSYNC } from './project.js';
import { startRelay } from './relay.js';
import { fakeRemoteShell } from './remote-shell.js';
import { run, runProgram } from './run.js';
import { splits } from './splits.js';
import { tempDir } from './temp.js';
import { at, buildTree, cutTree, editTree } from './tree.js';

const FULL = { seed: 7, files: 40, dirs: 12, hardLinks: true, fifos: true, oddNames: true };

t.test('the tree builder makes the same tree for the same seed, and another one for another', async (t) => {
  const dir = tempDir(t);
  buildTree(join(dir, 'a'), FULL);
  buildTree(join(dir, 'b'), FULL);
  buildTree(join(dir, 'c'), { ...FULL, seed: 8 });
  t.same(diffDirs(join(dir, 'a'), join(dir, 'b'), { linkTimes: true }), []);
  t.not(diffDirs(join(dir, 'a'), join(dir, 'c')).length, 0);
});

t.test('the comparer sees every kind of difference', async (t) => {
  const dir = tempDir(t);
  const [a, b] = [join(dir, 'a'), join(dir, 'b')];
  const tree = buildTree(a, FULL);
  const sync = () => run('rsync', ['-aH', '--delete', `${a}/`, `${b}/`]);
  t.equal((await sync()).code, 0);
  t.same(diffDirs(a, b), [], 'a copy by rsync -aH is equal');
  const victim = at(b, tree.files[3]);
  const changes: [string, () => void][] = [
    ['mode', () => chmodSync(victim, 0o711)],
    ['mtime', () => utimesSync(victim, 5, 5.5)],
    ['content', () => writeFileSync(victim, Buffer.from(readFileSync(victim)).fill(65))],
    ['missing', () => rmSync(victim)],
    ['unexpected', () => mkdirSync(join(b, 'more'))],
    ['type', () => fileBecomesDir(victim)],
  ];
  for (const [what, change] of changes) {
    change();
    t.match(diffDirs(a, b).join('\n'), new RegExp(`^${what}`, 'm'), `a changed ${what} is seen`);
    await sync();
    t.same(diffDirs(a, b), [], 'and gone after another run');
  }
  const linked = [...readTree(b)].find(([, entry]) => entry.group !== '')![0];
  const copy = readFileSync(at(b, linked));
  rmSync(at(b, linked));
  writeFileSync(at(b, linked), copy);
  t.match(diffDirs(a, b).join('\n'), /^hard links/m, 'a lost hard link is seen');
});

function fileBecomesDir(path: Buffer): void {
  rmSync(path);
  mkdirSync(path);
}

t.test('edits and cuts change a tree', async (t) => {
  const dir = tempDir(t);
  const tree = buildTree(join(dir, 'a'), FULL);
  buildTree(join(dir, 'b'), FULL);
  const edited = editTree(tree, 1, 5);
  const gone = cutTree(tree, 2, 3);
  const found = diffDirs(join(dir, 'b'), join(dir, 'a')).join('\n');
  t.match(found, /^content/m);
  t.match(found, /^missing/m);
  t.ok(edited.length > 0 && gone.length > 0);
});

t.test('a program gets its arguments as bytes and its group is killed at the deadline', async (t) => {
  const echo = await run('printf', ['%s|', 'caf\xe9', "it's", '\xff\n']);
  t.equal(echo.stdout, "caf\xe9|it's|\xff\n|");
  const slow = await run('/bin/sh', ['-c', 'sleep 60 & wait'], { timeout: 200 });
  t.ok(slow.timedOut);
});

t.test('a relay passes a session on whole, records it, and can break it', async (t) => {
  const dir = tempDir(t);
  const tree = buildTree(join(dir, 'src'), { ...FULL, files: 10 });
  mkdirSync(join(dir, 'dst'));
  const daemon = await startDaemon(t, RSYNC, {
    dir: join(dir, 'daemon'),
    modules: { m: { path: join(dir, 'dst'), 'read only': 'no' } },
  });
  const relay = await startRelay(t, daemon.port);
  const push = (port: number) => runProgram(RSYNC, ['-aH', `${tree.root}/`, `rsync://127.0.0.1:${port}/m/`]);
  t.equal((await push(relay.port)).code, 0);
  t.same(diffDirs(tree.root, join(dir, 'dst')), []);
  t.match(Buffer.concat(relay.sessions[0].c2s).toString('latin1'), /^@RSYNCD: 3\d/);
  const broken = await startRelay(t, daemon.port, {
    direction: 's2c',
    after: 60,
    bytes: Buffer.from('garbage'.repeat(9)),
  });
  t.not((await push(broken.port)).code, 0);
});

t.test('the fake remote shell runs what is behind the host name', async (t) => {
  const shell = fakeRemoteShell(tempDir(t));
  const result = await run(shell, ['-l', 'me', 'host', 'echo', 'a b;', 'echo', 'c']);
  t.equal(result.stdout, 'a b\nc\n');
});

t.test('raw peers talk in both roles', async (t) => {
  const port = await hostileServer(t, async (peer) => {
    peer.send(`echo ${await peer.line()}\n`);
    peer.send(await peer.bytes(3));
  });
  const client = await hostileClient(t, port);
  client.send('hello\nabcdef');
  t.equal(await client.line(), 'echo hello');
  t.equal((await client.rest()).toString(), 'abc');
});

t.test('splits cut everywhere and lose nothing, and a decoder that loses its rest is caught', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 300 }, (_, i) => i & 0xff));
  const joined = splits(bytes, (chunks) => Buffer.concat(chunks).toString('hex'));
  t.equal(new Set(joined.values()).size, 1);
  const broken = splits(bytes, (chunks) => chunks.reduce((sum, chunk) => sum + Math.floor(chunk.length / 4), 0));
  t.not(new Set(broken.values()).size, 1);
});
