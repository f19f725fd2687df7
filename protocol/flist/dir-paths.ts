import type { ByteString } from '../options.js';

/** Directory paths by number. Number 0 is the empty path. Numbers are not used again. */
export class DirPaths {
  private readonly paths: (ByteString | null)[] = [''];
  private readonly ids = new Map<ByteString, number>([['', 0]]);
  /** How many lists have entries in a directory. */
  private readonly holds: number[] = [1];

  /** All numbers so far are below this. */
  get end(): number {
    return this.paths.length;
  }

  /** Number of paths that are known. */
  get size(): number {
    return this.ids.size;
  }

  /** The path behind a number. */
  path(id: number): ByteString {
    const path = this.paths[id];
    if (path === null) throw new RangeError(`directory number ${id} is forgotten`);
    return path;
  }

  /** The number of a path. */
  id(path: ByteString): number {
    let id = this.ids.get(path);
    if (id === undefined) {
      id = this.paths.push(path) - 1;
      this.holds.push(0);
      this.ids.set(path, id);
    }
    return id;
  }

  /** The number of a path that has one already, else -1. */
  known(path: ByteString): number {
    return this.ids.get(path) ?? -1;
  }

  hold(id: number): void {
    this.holds[id]++;
  }

  /** Undoes one `hold`; the path is forgotten with the last one. */
  release(id: number): void {
    if (--this.holds[id] > 0) return;
    this.ids.delete(this.path(id));
    this.paths[id] = null;
  }
}
