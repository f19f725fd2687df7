import { spawnSync } from 'node:child_process';
import { chmodSync, lutimesSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { NO_ENTRY } from '../../protocol/attributes/acl.js';
import { AclName, aclBytes } from '../../protocol/attributes/acl-bytes.js';
import { getXattr, listXattrs, removeXattr, setXattr } from '../../src/libc/xattrs.js';
import { diffDirs } from '../lib/compare.js';
import { normalize, PAIRS, type Route, referenceOf, routeName, World } from '../lib/routes.js';

/*
 * -A and -X over so many files that they go in runs, most of them with nothing: lists, files that are right or not, and new ones.
 * What is printed and what is there afterwards must be what the real program prints and leaves.
 */

const skip = process.getuid?.() === 0 ? false : 'only root has attributes of all namespaces';
const OLD = 1_000_000_000;
const DIRS = 6;
const FILES = 900;

const ACL = aclBytes({ user: 6, group: 4, mask: 6, other: 0, names: [{ id: 1, access: 6, isUser: true }] });
const OTHER_ACL = aclBytes({ user: 6, group: 0, mask: 4, other: 4, names: [{ id: 2, access: 7, isUser: false }] });
const DEFAULT_ACL = aclBytes({ user: 7, group: 5, mask: 7, other: 5, names: [{ id: 3, access: 7, isUser: true }] });
const PLAIN_DEFAULT = aclBytes({ user: 6, group: 4, mask: NO_ENTRY, other: 0, names: [] });

/** What the files get, by their numbers; all the others get nothing. */
function give(path: Buffer, i: number): void {
  if (i % 7 === 1) setXattr(path, 'user.same', Buffer.from('same'));
  if (i % 11 === 2) setXattr(path, 'user.own', Buffer.from(`of ${i}`));
  if (i % 13 === 3) setXattr(path, 'trusted.long', Buffer.alloc(33 + (i % 3), 'l'));
  if (i % 101 === 4) setXattr(path, 'user.large', Buffer.alloc(700 + (i % 5), 'L'));
  if (i % 103 === 5) for (let k = 0; k < 40; k++) setXattr(path, `user.one-of-many-${k}`, Buffer.from('x'));
  if (i % 17 === 6) setXattr(path, AclName.ACCESS, i % 2 === 0 ? ACL : OTHER_ACL);
  if (i % 19 === 7) setXattr(path, 'user.empty', Buffer.alloc(0));
}

function settle(dir: string): void {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (name.startsWith('d')) settle(path);
    lutimesSync(path, OLD, OLD);
  }
  lutimesSync(dir, OLD, OLD);
}

function makeSource(dir: string): void {
  for (let i = 0; i < FILES; i++) {
    const folder = join(dir, `d${Math.floor((i * DIRS) / FILES)}`);
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `file${1000 + i}`);
    writeFileSync(path, `content of ${i}`);
    chmodSync(path, i % 5 === 0 ? 0o640 : 0o644);
    give(Buffer.from(path), i);
  }
  setXattr(Buffer.from(join(dir, 'd2')), AclName.DEFAULT, DEFAULT_ACL);
  setXattr(Buffer.from(join(dir, 'd3')), AclName.DEFAULT, PLAIN_DEFAULT);
  settle(dir);
}

/** Changes attributes of some files of a copy. */
function age(dir: string): void {
  let i = 0;
  for (const folder of readdirSync(dir).sort()) {
    for (const name of readdirSync(join(dir, folder)).sort()) {
      const path = Buffer.from(join(dir, folder, name));
      i++;
      if (i % 37 === 1) setXattr(path, 'user.foreign', Buffer.from('f'));
      if (i % 41 === 2) for (const known of listXattrs(path)) removeXattr(path, known);
      if (i % 43 === 3) setXattr(path, 'user.same', Buffer.from('else'));
      if (i % 47 === 4) setXattr(path, AclName.ACCESS, OTHER_ACL);
      if (i % 53 === 5) rmSync(path);
    }
  }
  setXattr(Buffer.from(join(dir, 'd4')), AclName.DEFAULT, DEFAULT_ACL);
  rmSync(join(dir, 'd5'), { recursive: true });
  settle(dir);
}

/** All attributes of a tree, by path. */
function attributes(dir: string, at = '.', found: Record<string, string> = {}): Record<string, string> {
  const path = Buffer.from(join(dir, at));
  for (const name of listXattrs(path).sort()) {
    found[`${at} ${name}`] = (getXattr(path, name) as Buffer).toString('latin1').slice(0, 100);
  }
  if (at.includes('file')) return found;
  for (const name of readdirSync(join(dir, at)).sort()) attributes(dir, join(at, name), found);
  return found;
}

const WAYS: readonly { way: Route['way']; direction: Route['direction']; protocol: number | null }[] = [
  { way: 'daemon', direction: 'push', protocol: null },
  { way: 'shell', direction: 'pull', protocol: null },
  { way: 'shell', direction: 'push', protocol: 30 },
  { way: 'shell', direction: 'push', protocol: 31 },
];

const ROUTES: readonly Route[] = [
  ...WAYS.flatMap((way) => PAIRS.map((pair) => ({ ...way, ...pair }))),
  { way: 'local', direction: 'push', protocol: null, ...PAIRS[0] },
];

const STATES: Record<string, (source: string, dest: string) => void> = {
  empty: () => {},
  equal: (source, dest) => spawnSync('cp', ['-a', '--preserve=all', `${source}/.`, dest]),
  older: (source, dest) => {
    spawnSync('cp', ['-a', '--preserve=all', `${source}/.`, dest]);
    age(dest);
  },
};

/** Each route meets two of these. */
const ARGS = [['-aAXi'], ['-aXi'], ['-aAi', '--delete'], ['-aAXin', '-c'], ['-aAX']];

t.test('many files have the attributes of their sources', { skip }, async (test) => {
  const world = new World(test);
  const source = world.makeDir('src');
  makeSource(source);
  const outcome = async (route: Route, args: readonly string[], state: string) => {
    rmSync(world.path('dest'), { recursive: true, force: true });
    STATES[state](source, world.makeDir('dest'));
    const done = await world.copy(route, args, 'src/', 'dest/');
    const out = normalize(done.stdout).replace(/^</gm, '>') + done.stderr;
    return { out, code: done.code, left: attributes(world.path('dest')) };
  };
  const expected = new Map<string, object>();
  for (const [at, route] of ROUTES.entries()) {
    for (const args of [ARGS[at % ARGS.length], ARGS[(at + 2) % ARGS.length]]) {
      for (const state of Object.keys(STATES)) {
        const reference = referenceOf(route);
        const what = `${args.join(' ')} ${state}`;
        const key = `${routeName(reference)} ${what}`;
        if (!expected.has(key)) expected.set(key, await outcome(reference, args, state));
        test.same(await outcome(route, args, state), expected.get(key), `${routeName(route)} ${what}`);
        if (!args[0].includes('n')) test.same(diffDirs(source, world.path('dest')), [], what);
      }
    }
  }
});
