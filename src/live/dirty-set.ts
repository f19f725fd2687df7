import type { ByteString } from '../../protocol/options.js';
import { Change } from '../watch/changes.js';

/** A mark that concerns all that lies at and below a path, among the bits of Change. */
export const TREE = 1 << 16;
/** The same of what lies directly in a directory. */
export const LEVEL = 1 << 17;

/** What a directory has to be, beside being one, for all that the other side has in it to be in doubt. */
const IN_DOUBT = Change.REMOVED | Change.MADE;

/** One path that is to be looked at. */
export interface Mark {
  /** Relative to the source's root; '' is the root. */
  path: ByteString;
  /** Bits of Change, TREE and LEVEL. */
  what: number;
  /** Milliseconds since 1970 of the oldest change that is not on the other side. */
  since: number;
}

interface Node {
  /** 0: nothing is known to have changed here. */
  what: number;
  since: number;
  /** Marks at and below this node. */
  count: number;
  children: Map<ByteString, Node> | null;
}

const newNode = (): Node => ({ what: 0, since: 0, count: 0, children: null });

/**
 * What of one source one target does not have yet: paths as a tree of their components, so that a stale directory
 * swallows what lies below it, and a move takes along what was known of the old place. Never holds more than `limit`
 * marks: beyond that, everything counts as stale.
 */
export class DirtySet {
  private root = newNode();
  private since = Number.POSITIVE_INFINITY;
  /** The nodes above the one that `nodeFor` found last. */
  private readonly way: Node[] = [];

  constructor(private readonly limit: number) {}

  /** Number of marks. */
  get count(): number {
    return this.root.count;
  }

  /** True when all of the source is to be compared. */
  get everything(): boolean {
    return (this.root.what & TREE) !== 0;
  }

  /** Notes a change. Marks below a directory that is stale as a whole say nothing new. */
  mark(path: ByteString, what: number, since: number): void {
    // One that was removed may have a successor by now, which holds nothing of what the other side has below it. In one
    // that was made, something may have been sent before it was watched, and have gone again without an event.
    if ((what & Change.DIRECTORY) !== 0 && (what & IN_DOUBT) !== 0) what |= TREE;
    this.since = Math.min(this.since, since);
    const node = this.nodeFor(path);
    if (node === null) return;
    const before = node.count;
    if (what & TREE) {
      since = Math.min(since, oldestOf(node));
      node.children = null;
      node.count = 1;
    } else if (node.what === 0) {
      node.count++;
    }
    node.since = node.what === 0 ? since : Math.min(node.since, since);
    node.what |= what;
    const added = node.count - before;
    for (const above of this.way) above.count += added;
    this.way.length = 0;
    if (this.root.count > this.limit) this.collapse();
  }

  /**
   * The node of a path, made with those above it; null when it or one above is stale as a whole. In a storm most are:
   * this is called for each event.
   */
  private nodeFor(path: ByteString): Node | null {
    let node = this.root;
    this.way.length = 0;
    for (let from = 0; from < path.length && (node.what & TREE) === 0; ) {
      this.way.push(node);
      const slash = path.indexOf('/', from);
      const end = slash < 0 ? path.length : slash;
      const step = path.slice(from, end);
      node.children ??= new Map();
      let next = node.children.get(step);
      if (next === undefined) {
        next = newNode();
        node.children.set(step, next);
      }
      node = next;
      from = end + 1;
    }
    return (node.what & TREE) === 0 ? node : null;
  }

  private collapse(): void {
    this.root = { what: TREE, since: this.since, count: 1, children: null };
  }

  /**
   * An entry moved: what was to be told of the old place, and below it, holds for the new one. What was to be told of
   * the new one stays: the other side still has what was there.
   */
  move(from: ByteString, to: ByteString): void {
    const marks: Mark[] = [];
    this.detach(from, marks);
    for (const { path, what, since } of marks) this.mark(path === '' ? to : `${to}/${path}`, what, since);
  }

  /** Takes out what is known at and below a path; the marks' paths are relative to it. */
  private detach(path: ByteString, into: Mark[]): void {
    if (path === '') return;
    const steps = path.split('/');
    const way: Node[] = [];
    let node = this.root;
    for (const step of steps) {
      way.push(node);
      const next = node.children?.get(step);
      if (next === undefined) return;
      node = next;
    }
    collect(node, '', into);
    way[way.length - 1].children!.delete(steps[steps.length - 1]);
    for (const above of way) above.count -= node.count;
  }

  /** Time of the oldest mark since the last `take`, Infinity when there is none. */
  get oldest(): number {
    return this.since;
  }

  /** All marks, sorted so that a directory comes before what is in it. */
  list(): Mark[] {
    const marks: Mark[] = [];
    collect(this.root, '', marks);
    return marks;
  }

  /** True when `test` holds for the path of a mark. Looks at marks, in any order, only until one is found. */
  hasPath(test: (path: ByteString) => boolean): boolean {
    return findPath(this.root, '', test);
  }

  /** Takes all marks out, but for those that concern what one of `busy` concerns. */
  take(busy: readonly DirtySet[] = []): Mark[] {
    const marks = this.list();
    this.root = newNode();
    this.since = Number.POSITIVE_INFINITY;
    if (busy.length === 0) return marks;
    const isFree = ({ path }: Mark) => !busy.some((other) => other.concerns(path));
    this.restore(marks.filter((mark) => !isFree(mark)));
    return marks.filter(isFree);
  }

  /** True when there is a mark at a path, below it, or on a directory that it lies in. */
  concerns(path: ByteString): boolean {
    let node = this.root;
    for (const step of path === '' ? [] : path.split('/')) {
      if (node.what !== 0) return true;
      const next = node.children?.get(step);
      if (next === undefined) return false;
      node = next;
    }
    return node.count > 0;
  }

  /** Puts marks back that a session could not bring to the other side. */
  restore(marks: readonly Mark[]): void {
    for (const { path, what, since } of marks) this.mark(path, what, since);
  }
}

function oldestOf(node: Node): number {
  let oldest = node.what === 0 ? Number.POSITIVE_INFINITY : node.since;
  if (node.children !== null) for (const child of node.children.values()) oldest = Math.min(oldest, oldestOf(child));
  return oldest;
}

function findPath(node: Node, path: ByteString, test: (path: ByteString) => boolean): boolean {
  if (node.what !== 0 && test(path)) return true;
  if (node.children === null) return false;
  for (const [name, child] of node.children) {
    if (findPath(child, path === '' ? name : `${path}/${name}`, test)) return true;
  }
  return false;
}

function collect(node: Node, path: ByteString, into: Mark[]): void {
  if (node.what !== 0) into.push({ path, what: node.what, since: node.since });
  if (node.children === null) return;
  const names = [...node.children.keys()].sort();
  for (const name of names) collect(node.children.get(name)!, path === '' ? name : `${path}/${name}`, into);
}
