import { createHash } from 'node:crypto';
import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';

export type NodeType = 'file' | 'dir' | 'link' | 'fifo' | 'socket' | 'char' | 'block';

/** What a copy must keep of one name. */
export interface TreeEntry {
  type: NodeType;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtimeNs: bigint;
  /** MD5 of a file's content, the target of a link, the number of a device. */
  content: string;
  /** The names of a file with several links, joined by ' = ' in order; '' for one link. */
  group: string;
}

/** A tree by byte names (latin1), the root as '.'. */
export type Tree = Map<string, TreeEntry>;

export interface CompareOptions {
  times?: boolean;
  /** Directories' own times are compared too (default: as `times`). */
  dirTimes?: boolean;
  linkTimes?: boolean;
  /** Milliseconds: times in the hour behind it count as "now" and are equal, such as those of emptied directories. */
  since?: number;
  owner?: boolean;
  perms?: boolean;
  hardLinks?: boolean;
  /** The root directory itself. */
  root?: boolean;
}

/** Reads a whole tree. Names are bytes; nothing is followed. */
export function readTree(dir: string | Buffer): Tree {
  const tree: Tree = new Map();
  const groups = new Map<string, string[]>();
  const visit = (path: Buffer, name: string): void => {
    const entry = readEntry(path, name, groups);
    tree.set(name, entry);
    if (entry.type !== 'dir') return;
    for (const child of readdirSync(path, { encoding: 'buffer' })) {
      const childName = name === '.' ? child.toString('latin1') : `${name}/${child.toString('latin1')}`;
      visit(Buffer.concat([path, Buffer.from('/'), child]), childName);
    }
  };
  visit(typeof dir === 'string' ? Buffer.from(dir, 'latin1') : dir, '.');
  for (const names of groups.values()) {
    if (names.length < 2) continue;
    const group = names.sort().join(' = ');
    for (const name of names) tree.get(name)!.group = group;
  }
  return tree;
}

function readEntry(path: Buffer, name: string, groups: Map<string, string[]>): TreeEntry {
  const st = lstatSync(path, { bigint: true });
  const type = typeOf(Number(st.mode));
  let content = '';
  if (type === 'file') content = hashFile(path, Number(st.size));
  else if (type === 'link') content = readlinkSync(path, { encoding: 'buffer' }).toString('latin1');
  else if (type === 'char' || type === 'block') content = st.rdev.toString(16);
  if (type !== 'dir' && st.nlink > 1n) {
    const id = `${st.dev}:${st.ino}`;
    const names = groups.get(id);
    if (names) names.push(name);
    else groups.set(id, [name]);
  }
  return {
    type,
    mode: Number(st.mode) & 0o7777,
    uid: Number(st.uid),
    gid: Number(st.gid),
    size: type === 'dir' ? 0 : Number(st.size),
    mtimeNs: st.mtimeNs,
    content,
    group: '',
  };
}

const TYPES = new Map<number, NodeType>([
  [0o140000, 'socket'],
  [0o120000, 'link'],
  [0o100000, 'file'],
  [0o060000, 'block'],
  [0o040000, 'dir'],
  [0o020000, 'char'],
  [0o010000, 'fifo'],
]);

function typeOf(mode: number): NodeType {
  const type = TYPES.get(mode & 0o170000);
  if (type === undefined) throw new Error(`no file type has mode ${mode.toString(8)}`);
  return type;
}

const chunk = Buffer.allocUnsafe(1 << 18);

function hashFile(path: Buffer, size: number): string {
  if (size === 0) return '';
  const hash = createHash('md5');
  const fd = openSync(path, 'r');
  try {
    const left = fstatSync(fd).size;
    for (let at = 0; at < left; ) {
      const count = readSync(fd, chunk, 0, chunk.length, at);
      if (count === 0) break;
      hash.update(chunk.subarray(0, count));
      at += count;
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

/** What differs between two trees, a line per finding; empty when they are the same in everything asked for. */
export function diffTrees(expected: Tree, actual: Tree, options: CompareOptions = {}): string[] {
  const lines: string[] = [];
  for (const [name, want] of expected) {
    if (name === '.' && options.root === false) continue;
    const have = actual.get(name);
    if (have === undefined) lines.push(`missing: ${JSON.stringify(name)} (${want.type})`);
    else compareEntry(name, want, have, options, lines);
  }
  for (const [name, have] of actual) {
    if (!expected.has(name)) lines.push(`unexpected: ${JSON.stringify(name)} (${have.type})`);
  }
  return lines;
}

function compareEntry(name: string, want: TreeEntry, have: TreeEntry, o: CompareOptions, lines: string[]): void {
  const differ = (what: string, a: unknown, b: unknown): void => {
    if (a !== b) lines.push(`${what} of ${JSON.stringify(name)}: expected ${a}, got ${b}`);
  };
  differ('type', want.type, have.type);
  differ('size', want.size, have.size);
  differ('content', want.content, have.content);
  if (o.perms !== false && want.type !== 'link') differ('mode', want.mode.toString(8), have.mode.toString(8));
  if (o.owner !== false) {
    differ('uid', want.uid, have.uid);
    differ('gid', want.gid, have.gid);
  }
  const times = o.times !== false;
  const timed = want.type === 'dir' ? (o.dirTimes ?? times) : want.type === 'link' ? (o.linkTimes ?? times) : times;
  if (timed) differ('mtime', showTime(want.mtimeNs, o.since), showTime(have.mtimeNs, o.since));
  if (o.hardLinks !== false) differ('hard links', want.group, have.group);
}

const HOUR_MS = 3_600_000;

function showTime(mtimeNs: bigint, since: number | undefined): string {
  const ms = Number(mtimeNs / 1_000_000n);
  return since !== undefined && ms >= since && ms < since + HOUR_MS ? 'now' : String(mtimeNs);
}

/** Reads both and compares them. */
export function diffDirs(expected: string, actual: string, options?: CompareOptions): string[] {
  return diffTrees(readTree(expected), readTree(actual), options);
}
