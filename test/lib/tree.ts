import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { Random } from './random.js';
import { shellQuote } from './run.js';

export interface TreeOptions {
  seed: number;
  /** Regular files and directories to make. */
  files: number;
  dirs: number;
  /** Largest file in bytes; most are far smaller, some are empty. */
  maxSize?: number;
  links?: boolean;
  hardLinks?: boolean;
  fifos?: boolean;
  /** Files of several owners and groups; only root can make them, others get none. */
  owners?: boolean;
  /** Spaces, newlines, leading dashes, bytes that are not UTF-8, wildcard characters. */
  oddNames?: boolean;
}

/** Where the parts of a made tree are, relative, as byte strings. */
export interface MadeTree {
  root: string;
  files: string[];
  dirs: string[];
}

const ODD = ['with space', 'new\nline', '-dash', '--delete', 'caf\xc3\xa9', 'latin\xe9', 'back\\slash', 'star*[x]?'];
const ODD_MORE = ['\x01ctl', 'quote\'"', '#hash', ';semi', '$dollar', '\xff\xfe', '.hidden', 'trailing '];
const MODES = [0o644, 0o600, 0o755, 0o444, 0o640, 0o664, 0o700];
const DIR_MODES = [0o755, 0o700, 0o775, 0o750];
/** So many names get a time with every nanosecond digit; a process each, so not all. */
const EXACT_TIMES = 24;

/** Path of a byte name below a root, for fs calls. */
export function at(root: string, name: string): Buffer {
  return Buffer.from(`${root}/${name}`, 'latin1');
}

/** Makes a tree below `root` (created when missing) that depends on nothing but the options. */
export function buildTree(root: string, options: TreeOptions): MadeTree {
  const random = new Random(options.seed);
  mkdirSync(root, { recursive: true });
  const dirs = makeDirs(root, random, options);
  const files = makeFiles(root, random, options, dirs);
  const others: string[] = [];
  if (options.links !== false) others.push(...makeLinks(root, random, files, dirs));
  if (options.hardLinks) makeHardLinks(root, random, files, dirs);
  if (options.fifos) {
    const name = join(random.pick(dirs), 'a fifo');
    makeFifo(root, name);
    others.push(name);
  }
  if (options.owners && process.getuid?.() === 0) setOwners(root, random, files, dirs);
  for (const name of others) lutimesSync(at(root, name), randomTime(random), randomTime(random));
  setTimes(root, random, files, dirs);
  return { root, files, dirs };
}

function join(dir: string, name: string): string {
  return dir === '' ? name : `${dir}/${name}`;
}

function makeDirs(root: string, random: Random, options: TreeOptions): string[] {
  const dirs = [''];
  for (let count = 0; count < options.dirs; count++) {
    const odd = options.oddNames && count < ODD.length ? `${ODD[count]}.d` : `dir${count}`;
    const name = join(random.pick(dirs), odd);
    mkdirSync(at(root, name));
    dirs.push(name);
  }
  return dirs;
}

function makeFiles(root: string, random: Random, options: TreeOptions, dirs: string[]): string[] {
  const odd = options.oddNames ? [...ODD, ...ODD_MORE] : [];
  const files: string[] = [];
  for (let count = 0; count < options.files; count++) {
    const name = join(
      random.pick(dirs),
      count < odd.length ? odd[count] : `file${count}.${random.pick(['c', 'o', 'txt'])}`,
    );
    const size = randomSize(random, options.maxSize ?? 200_000);
    writeFileSync(at(root, name), random.bytes(size, random.chance(60)));
    chmodSync(at(root, name), random.pick(MODES));
    files.push(name);
  }
  return files;
}

function randomSize(random: Random, max: number): number {
  const kind = random.int(10);
  if (kind === 0) return 0;
  if (kind < 6) return random.int(Math.min(max, 2000));
  if (kind < 9) return random.int(Math.min(max, 40_000));
  return random.int(max);
}

function makeLinks(root: string, random: Random, files: string[], dirs: string[]): string[] {
  const targets = ['nowhere', '..', '/etc/hostname', 'caf\xc3\xa9 \xff', files[0] ?? 'x', 'a/../../b'];
  return targets.map((target, index) => {
    const name = join(random.pick(dirs), `link${index}`);
    symlinkSync(Buffer.from(target, 'latin1'), at(root, name));
    return name;
  });
}

function makeHardLinks(root: string, random: Random, files: string[], dirs: string[]): void {
  for (let count = 0; count < Math.min(4, files.length); count++) {
    const original = files[random.int(files.length)];
    for (let copy = 0; copy <= count; copy++) {
      linkSync(at(root, original), at(root, join(random.pick(dirs), `hard${count}-${copy}`)));
    }
  }
}

/** Ids with names (daemon, bin, nobody) and without. */
function setOwners(root: string, random: Random, files: string[], dirs: string[]): void {
  const ids = [0, 1, 2, 65534, 12345, 70000];
  for (const name of [...files, ...dirs]) {
    if (!random.chance(40)) continue;
    const path = at(root, name);
    const { mode } = lstatSync(path);
    chownSync(path, random.pick(ids), random.pick(ids));
    chmodSync(path, mode & 0o7777);
  }
}

/** A time between 2001 and 2033 with a fraction. */
function randomTime(random: Random): number {
  return 1_000_000_000 + random.int(1_000_000_000) + random.int(1_000_000) / 1_000_000;
}

/** Times of files first and of directories last, deepest first, since making entries changes them. */
function setTimes(root: string, random: Random, files: string[], dirs: string[]): void {
  const exact: string[] = [];
  for (const name of files) {
    if (exact.length < EXACT_TIMES) exact.push(name);
    else utimesSync(at(root, name), randomTime(random), randomTime(random));
  }
  touchExactly(root, random, exact);
  for (const name of [...dirs].reverse()) {
    if (name !== '') chmodSync(at(root, name), random.pick(DIR_MODES));
    utimesSync(at(root, name), randomTime(random), randomTime(random));
  }
}

/** Node's own call rounds a time to a double; touch sets every digit. */
function touchExactly(root: string, random: Random, names: string[]): void {
  const lines = names.map((name) => {
    const time = `${1_000_000_000 + random.int(700_000_000)}.${String(random.int(1_000_000_000)).padStart(9, '0')}`;
    return `touch -h -d @${time} -- ${shellQuote(`${root}/${name}`)}`;
  });
  const done = spawnSync('/bin/sh', { input: Buffer.from(`set -e\n${lines.join('\n')}\n`, 'latin1') });
  if (done.status !== 0) throw new Error(`touch failed: ${done.stderr.toString()}`);
}

/** Changes some files: bytes inside, bytes put in front or in the middle, the end cut off, or the mode alone. */
export function editTree(tree: MadeTree, seed: number, count: number): string[] {
  const random = new Random(seed);
  const edited = new Set<string>();
  for (let turn = 0; turn < count; turn++) {
    const name = random.pick(tree.files);
    const path = at(tree.root, name);
    const before = readFileSync(path);
    chmodSync(path, 0o644);
    writeFileSync(path, editBytes(before, random));
    chmodSync(path, random.pick(MODES));
    const time = randomTime(random);
    utimesSync(path, time, time);
    edited.add(name);
  }
  return [...edited];
}

/** One edit of a file's content, always a change. */
export function editBytes(before: Buffer, random: Random): Buffer {
  const middle = random.int(before.length + 1);
  const piece = random.bytes(1 + random.int(300));
  switch (random.int(4)) {
    case 0:
      return Buffer.concat([piece, before]);
    case 1:
      return Buffer.concat([before.subarray(0, middle), piece, before.subarray(middle)]);
    case 2:
      return Buffer.concat([before.subarray(0, middle >> 1), piece]);
    default: {
      const after = Buffer.from(Buffer.concat([before, piece]));
      after[middle] ^= 0x55;
      return after;
    }
  }
}

/** Removes whole directories and single files; returns what is gone. */
export function cutTree(tree: MadeTree, seed: number, count: number): string[] {
  const random = new Random(seed);
  const gone: string[] = [];
  for (let turn = 0; turn < count; turn++) {
    const name = turn === 0 && tree.dirs.length > 2 ? tree.dirs[tree.dirs.length - 1] : random.pick(tree.files);
    rmSync(at(tree.root, name), { recursive: true, force: true });
    gone.push(name);
  }
  tree.files = tree.files.filter((name) => !gone.some((dead) => name === dead || name.startsWith(`${dead}/`)));
  tree.dirs = tree.dirs.filter((name) => !gone.some((dead) => name === dead || name.startsWith(`${dead}/`)));
  return gone;
}

/** Gives directories old times again after their entries were changed, so that nothing of a tree is of this second. */
export function settleDirs(tree: MadeTree, seed: number): void {
  const random = new Random(seed);
  for (const name of [...tree.dirs].reverse()) utimesSync(at(tree.root, name), randomTime(random), randomTime(random));
}

/** Number of entries of a directory, for tests that wait until something shows up. */
export function entryCount(dir: string): number {
  return readdirSync(dir, { encoding: 'buffer' }).length;
}

/** Makes a named pipe with mode 640. */
export function makeFifo(root: string, name: string): void {
  const line = `mkfifo -m 640 -- ${shellQuote(`${root}/${name}`)}\n`;
  const done = spawnSync('/bin/sh', { input: Buffer.from(line, 'latin1') });
  if (done.status !== 0) throw new Error(`mkfifo failed: ${done.stderr.toString()}`);
}
