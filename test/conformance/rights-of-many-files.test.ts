import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { getXattr, setXattr } from '../../src/libc/xattrs.js';
import { diffDirs } from '../lib/compare.js';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { World } from '../lib/routes.js';

/*
 * New files of a run in which the thread for file work creates them (src/files/thread/worker.ts): where it may give a file its
 * permissions at once, and where these are to be set after its owner, or against what the directory does to new files.
 */

/** Files that come before the thread is at work, and those that are looked at. */
const BEFORE = 1100;
const EACH = 2;
const MODES = [0o644, 0o600, 0o640, 0o444, 0o777, 0o4755, 0o2755, 0o6711, 0o1644, 0o070];
const OWNERS = [
  [0, 0],
  [1234, 0],
  [0, 4321],
  [1234, 4321],
];
const SPECIAL_DIRS = ['y-plain', 'z-acl', 'z-minimal-acl', 'z-setgid'];

const isRoot = process.getuid?.() === 0;
const needsRoot = isRoot ? false : 'only root can give files to others';

/** Names of `dir` come after those of the first files, and change owner and permissions from one to the next. */
function fill(dir: string, first: number): void {
  mkdirSync(dir);
  let number = first;
  for (const mode of MODES) {
    for (const [uid, gid] of OWNERS) {
      for (let i = 0; i < EACH; i++) {
        const path = join(dir, `file${number++}`);
        writeFileSync(path, `content of ${path.slice(-8)}`);
        chownSync(path, uid, gid);
        chmodSync(path, mode);
      }
    }
  }
  chmodSync(dir, 0o755);
  utimesSync(dir, 1_000_000_000, 1_000_000_000);
}

function prepare(world: World): string {
  const dir = world.makeDir('src');
  mkdirSync(join(dir, 'a'));
  for (let i = 0; i < BEFORE; i++) writeFileSync(join(dir, 'a', `file${i}`), `${i}`, { mode: 0o644 });
  for (const [number, name] of SPECIAL_DIRS.entries()) fill(join(dir, name), 1000 * (number + 1));
  for (const name of ['a', '.']) utimesSync(join(dir, name), 1_000_000_000, 1_000_000_000);
  return dir;
}

/** An ACL as Linux keeps it: version 2, then tag, permissions and id of each entry. */
function acl(entries: readonly (readonly [tag: number, rights: number, id: number])[]): Buffer {
  const out = Buffer.alloc(4 + 8 * entries.length);
  out.writeUInt32LE(2, 0);
  for (const [number, [tag, rights, id]] of entries.entries()) {
    out.writeUInt16LE(tag, 4 + 8 * number);
    out.writeUInt16LE(rights, 6 + 8 * number);
    out.writeUInt32LE(id, 8 + 8 * number);
  }
  return out;
}

const NO_ID = 0xffff_ffff;
/** user::rwx user:1234:rwx group::r-x mask::rwx other::r-- */
const WITH_MASK = acl([
  [1, 7, NO_ID],
  [2, 7, 1234],
  [4, 5, NO_ID],
  [0x10, 7, NO_ID],
  [0x20, 4, NO_ID],
]);
/** user::rwx group::--- other::--- */
const MINIMAL = acl([
  [1, 7, NO_ID],
  [4, 0, NO_ID],
  [0x20, 0, NO_ID],
]);

/** A destination with a directory that gives its group on, and some that have default ACLs. */
function destination(world: World, name: string): string {
  const dir = world.makeDir(name);
  chmodSync(dir, 0o777);
  for (const special of SPECIAL_DIRS) mkdirSync(join(dir, special));
  for (const special of SPECIAL_DIRS) chmodSync(join(dir, special), 0o777);
  setXattr(Buffer.from(join(dir, 'z-acl')), 'system.posix_acl_default', WITH_MASK);
  setXattr(Buffer.from(join(dir, 'z-minimal-acl')), 'system.posix_acl_default', MINIMAL);
  chownSync(join(dir, 'z-setgid'), 0, 4321);
  chmodSync(join(dir, 'z-setgid'), 0o2777);
  return dir;
}

function acls(dir: string): string[] {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort();
  return names.map((name) => {
    const value = getXattr(Buffer.from(join(dir, name)), 'system.posix_acl_access');
    return `${name} ${value?.toString('hex') ?? ''}`;
  });
}

/** The state of the new files, of both programs, is the same. `as`: words in front of the command. */
function compare(t: Test, world: World, args: readonly string[], umask: string, as: readonly string[]): void {
  const dirs = [RSYNC, TSRSYNC].map((program: Program) => {
    const dir = destination(world, `${program.name}${umask}${args.join('')}${as.join('')}`.replaceAll('/', '-'));
    const command = [...as, program.command, ...program.prefix, ...args, `${world.path('src')}/`, `${dir}/`];
    const done = spawnSync('sh', ['-c', `umask ${umask}; exec "$@"`, 'sh', ...command], { encoding: 'utf8' });
    t.equal(done.status, as.length === 0 ? 0 : 23, done.stderr.slice(0, 500));
    return dir;
  });
  t.same(diffDirs(dirs[0], dirs[1], { dirTimes: false }), [], 'rights, owners and content');
  t.same(acls(dirs[1]), acls(dirs[0]), 'access control lists');
}

t.test('new files have the rights that rsync gives them', { skip: needsRoot, timeout: 240_000 }, async (t) => {
  const world = new World(t);
  prepare(world);
  for (const [args, umask] of [
    [['-a'], '022'],
    // Without -p, the permissions of new files come from the default ACL of their directory, where it has one.
    [['-rtg'], '002'],
    [['-rltE'], '027'],
  ] as const) {
    await t.test(`${args.join(' ')}, umask ${umask}`, async (t) => compare(t, world, args, umask, []));
  }
});

t.test('a user who is not root', { skip: needsRoot, timeout: 240_000 }, async (t) => {
  const world = new World(t);
  const src = prepare(world);
  chmodSync(join(src, '..'), 0o755);
  const as = ['setpriv', '--reuid', '1234', '--regid', '1234', '--groups', '4321'];
  compare(t, world, ['-a', '--omit-dir-times'], '077', as);
});
