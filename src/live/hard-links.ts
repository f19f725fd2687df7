import fs from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { FileStat, lstatInto } from '../files/stat.js';
import { Pace } from '../session/pace.js';
import { below } from './source-tree.js';

/** The names of one file. */
interface LinkGroup {
  paths: Set<ByteString>;
  /** Number of links that it had when the whole tree was searched for them; some may lie outside of the tree. */
  searchedFor: number;
}

/**
 * Finds the other names of files with several links (-H): they must be in the same session, or the other side would get
 * a file of its own. No event tells which names belong together, so the tree is searched when a group is not known yet.
 */
export class HardLinks {
  private readonly groups = new Map<string, LinkGroup>();
  /** Which file a name led to when it was looked at last; only of files with several names. */
  private readonly ids = new Map<ByteString, string>();
  private readonly stat = new FileStat();
  /** Ends with the last question: one at a time is answered. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly root: ByteString,
    private readonly isExcluded: (dir: ByteString) => boolean,
  ) {}

  /**
   * The other names of the files at `paths`, and of those anywhere in the directories `trees`; all relative to the root.
   */
  namesBeside(paths: readonly ByteString[], trees: readonly ByteString[]): Promise<ByteString[]> {
    const found = this.last.then(() => this.find(paths, trees));
    this.last = found.catch(() => {});
    return found;
  }

  /** True for a file that has one name, and had no other one when it was looked at before. */
  isAlone(path: ByteString): boolean {
    if (this.ids.has(path)) return false;
    return lstatInto(Buffer.from(below(this.root, path), 'latin1'), this.stat) !== 0 || this.stat.nlink < 2;
  }

  private async find(paths: readonly ByteString[], trees: readonly ByteString[]): Promise<ByteString[]> {
    const given = new Set(paths);
    const wanted = new Map<string, number>();
    const left: ByteString[] = [];
    const want = (path: ByteString) => {
      const before = this.ids.get(path);
      const id = this.note(path);
      if (id !== null) wanted.set(id, this.stat.nlink);
      // The other side may have joined the others with what has this name now: no event tells that they are apart.
      if (before !== undefined && before !== id) left.push(...(this.groups.get(before)?.paths ?? []));
      given.add(path);
    };
    for (const path of paths) want(path);
    for (const tree of trees) await this.walk(tree, want);
    let isUnknown = false;
    for (const [id, links] of wanted) {
      const group = this.groups.get(id)!;
      if (this.stillThere(id, group) < links && group.searchedFor !== links) isUnknown = true;
    }
    if (isUnknown) await this.search(wanted);
    const found = left.filter((path) => !given.has(path));
    for (const id of wanted.keys()) {
      for (const path of this.groups.get(id)?.paths ?? []) if (!given.has(path)) found.push(path);
    }
    return found;
  }

  /** Looks at an entry; its group when it is a file with several names. */
  private note(path: ByteString): string | null {
    const { stat } = this;
    this.ids.delete(path);
    if (lstatInto(Buffer.from(below(this.root, path), 'latin1'), stat) !== 0) return null;
    if (stat.isDir || stat.nlink < 2) return null;
    const id = `${stat.dev}:${stat.ino}`;
    const group = this.groups.get(id);
    if (group === undefined) this.groups.set(id, { paths: new Set([path]), searchedFor: 0 });
    else group.paths.add(path);
    this.ids.set(path, id);
    return id;
  }

  /** Drops names that lead elsewhere by now; returns how many are left. */
  private stillThere(id: string, group: LinkGroup): number {
    const { stat } = this;
    for (const path of group.paths) {
      const errno = lstatInto(Buffer.from(below(this.root, path), 'latin1'), stat);
      if (errno !== 0 || `${stat.dev}:${stat.ino}` !== id) group.paths.delete(path);
    }
    return group.paths.size;
  }

  /** Looks through the whole tree once for all groups. */
  private async search(wanted: ReadonlyMap<string, number>): Promise<void> {
    this.groups.clear();
    this.ids.clear();
    await this.walk('', (path) => this.note(path));
    for (const [id, links] of wanted) {
      const group = this.groups.get(id);
      if (group !== undefined) group.searchedFor = links;
    }
  }

  /** Visits all that lies below a directory, giving way to others now and then. */
  private async walk(top: ByteString, visit: (path: ByteString) => void): Promise<void> {
    const pace = new Pace();
    const waiting: ByteString[] = [top];
    for (let dir = waiting.pop(); dir !== undefined; dir = waiting.pop()) {
      for (const name of entriesOf(below(this.root, dir))) {
        const path = below(dir, name);
        // A look that fails leaves the last one's type.
        this.stat.mode = 0;
        visit(path);
        if (this.stat.isDir && !this.isExcluded(path)) waiting.push(path);
      }
      if (pace.dueNow()) await pace.rest();
    }
  }
}

function entriesOf(dir: ByteString): ByteString[] {
  try {
    return fs.readdirSync(Buffer.from(dir, 'latin1'), { encoding: 'latin1' });
  } catch {
    // Gone, or not to be read: there is nothing in it that could be sent.
    return [];
  }
}
