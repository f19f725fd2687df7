import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { diffDirs } from '../lib/compare.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { Random } from '../lib/random.js';
import { type Route, referenceOf, routeName, World } from '../lib/routes.js';

const ROUTES: readonly Route[] = [
  { way: 'local', client: TSRSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'shell', client: TSRSYNC, server: RSYNC, direction: 'push', protocol: null },
  { way: 'shell', client: TSRSYNC, server: RSYNC, direction: 'pull', protocol: null },
  { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'push', protocol: null },
  { way: 'shell', client: RSYNC, server: TSRSYNC, direction: 'pull', protocol: null },
];

const LENGTH = 1_500_160;
const NULL_DEVICE = ['c', '1', '3'];

function makeNode(path: string, [type, major, minor]: readonly string[]): void {
  execFileSync('mknod', [path, type, major, minor]);
  utimesSync(path, 1_600_000_000, 1_600_000_000);
}

/** A block device whose content is that of `file`, as arguments of mknod; null where this machine gives none away. */
function attach(t: Test, file: string): readonly string[] | null {
  try {
    const device = execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8', stdio: 'pipe' }).trim();
    t.teardown(() => execFileSync('losetup', ['--detach', device]));
    const numbers = execFileSync('stat', ['--format=%Hr %Lr', device], { encoding: 'utf8' }).trim().split(' ');
    return ['b', ...numbers];
  } catch {
    return null;
  }
}

for (const route of ROUTES) {
  t.test(`devices as files: ${routeName(route)}`, async (t) => {
    const world = new World(t);
    const [src, dest, oracle] = ['src', 'dest', 'oracle'].map((name) => world.path(name));
    for (const dir of [src, dest, oracle]) mkdirSync(dir);
    const started = Date.now() - 1000;
    const random = new Random(6);
    const image = world.path('image');
    writeFileSync(image, random.bytes(LENGTH));
    const block = attach(t, image);
    const both = async (options: string[], name: string): Promise<void> => {
      const expected = await world.copy(referenceOf(route), options, name, 'oracle/');
      const done = await world.copy(route, options, name, 'dest/');
      t.equal(done.code, expected.code, done.stderr);
      t.equal(done.stdout, expected.stdout);
      t.same(diffDirs(oracle, dest, { since: started }), []);
    };

    makeNode(join(src, 'null'), NULL_DEVICE);
    writeFileSync(join(src, 'file'), 'text');
    if (block !== null) makeNode(join(src, 'block'), block);
    await both(['-ai', '--copy-devices'], 'src/');
    t.ok(lstatSync(join(dest, 'null')).isFile());
    t.equal(lstatSync(join(dest, 'null')).size, 0);
    if (block !== null)
      t.ok(readFileSync(join(dest, 'block')).equals(readFileSync(image)), 'a device comes with its content');
    await both(['-ric', '--copy-devices'], 'src/');

    rmSync(join(src, 'block'), { force: true });
    for (const dir of [dest, oracle]) {
      rmSync(join(dir, 'null'));
      makeNode(join(dir, 'null'), NULL_DEVICE);
    }
    writeFileSync(join(src, 'null2'), 'what goes into it');
    rmSync(join(src, 'null'));
    writeFileSync(join(src, 'null'), 'what goes nowhere');
    await both(['-ai', '--write-devices'], 'src/');
    t.ok(lstatSync(join(dest, 'null')).isCharacterDevice(), 'a device stays one');
    if (block === null) return;

    const content = readFileSync(image);
    rmSync(join(dest, 'block'));
    makeNode(join(dest, 'block'), block);
    random.bytes(5000).copy(content, 70_000);
    const shorter = content.subarray(0, LENGTH - 300_000);
    writeFileSync(join(src, 'block'), shorter);
    for (const options of [
      ['-ai', '--write-devices', '--no-whole-file'],
      ['-ai', '--write-devices', '--ignore-times'],
    ]) {
      const done = await world.copy(route, options, 'src/block', 'dest/');
      t.equal(done.code, 0, done.stderr);
      t.match(done.stdout, /^[<>]f.s/m);
      t.ok(lstatSync(join(dest, 'block')).isBlockDevice());
      execFileSync('sync');
      t.ok(readFileSync(join(dest, 'block')).equals(content), 'what is behind the file stays');
    }
  });
}
