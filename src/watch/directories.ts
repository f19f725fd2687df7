import type { ByteString } from '../../protocol/options.js';
import { joinPath } from './paths.js';

/** A watched directory. */
export interface Directory {
  /** Number of its watch. */
  wd: number;
  name: ByteString;
  /** null for the root, and for a directory that was dropped. */
  parent: Directory | null;
  /** Watched directories in it by name; null while there is none, as in most. */
  children: Map<ByteString, Directory> | null;
  /** Path as of `pathAge`, kept where directories lie in it; else ''. */
  path: ByteString;
  pathAge: number;
}

/** The watched directories of a tree, by watch and by place. */
export class Directories {
  readonly root: Directory;
  readonly #byWatch = new Map<number, Directory>();
  /** Counts moves: paths of directories found before are no longer trusted. */
  #age = 1;

  constructor(rootWatch: number) {
    this.root = { wd: rootWatch, name: '', parent: null, children: null, path: '', pathAge: 0 };
    this.#byWatch.set(rootWatch, this.root);
  }

  get count(): number {
    return this.#byWatch.size;
  }

  byWatch(wd: number): Directory | undefined {
    return this.#byWatch.get(wd);
  }

  /** True while the directory is part of the tree. */
  has(dir: Directory): boolean {
    return this.#byWatch.get(dir.wd) === dir;
  }

  child(parent: Directory, name: ByteString): Directory | undefined {
    return parent.children?.get(name);
  }

  /** Path of a directory relative to the root. */
  pathOf(dir: Directory): ByteString {
    if (dir.parent === null) return '';
    if (dir.pathAge === this.#age) return dir.path;
    const path = joinPath(this.pathOf(dir.parent), dir.name);
    // Most directories hold no others: their paths would be a fifth of what all watches take.
    if (dir.children !== null) {
      dir.path = path;
      dir.pathAge = this.#age;
    }
    return path;
  }

  add(parent: Directory, name: ByteString, wd: number): Directory {
    const dir: Directory = { wd, name, parent, children: null, path: '', pathAge: 0 };
    this.#byWatch.set(wd, dir);
    this.#attach(dir, parent, name);
    return dir;
  }

  /** Puts a directory, with all below it, to another place; false when that place lies inside of it. */
  move(dir: Directory, parent: Directory, name: ByteString): boolean {
    for (let at: Directory | null = parent; at !== null; at = at.parent) if (at === dir) return false;
    dir.parent!.children!.delete(dir.name);
    this.#attach(dir, parent, name);
    this.#age++;
    return true;
  }

  /** Takes a directory and all below it out of the tree; `onEach` is told every watch that it had. */
  drop(dir: Directory, onEach: (wd: number) => void): void {
    dir.parent?.children?.delete(dir.name);
    const left = [dir];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      if (next.children !== null) left.push(...next.children.values());
      this.#byWatch.delete(next.wd);
      onEach(next.wd);
    }
    dir.parent = null;
  }

  #attach(dir: Directory, parent: Directory, name: ByteString): void {
    parent.children ??= new Map();
    parent.children.set(name, dir);
    dir.parent = parent;
    dir.name = name;
  }
}
