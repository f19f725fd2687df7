import { existsSync } from 'node:fs';
import type { ByteString } from '../../../protocol/options.js';
import { Root } from '../../files/root.js';

/** Trees that are open at once. */
const MOST_OPEN = 4;

/**
 * The directories that source names are relative to, as trees that names do not lead out of: whoever may write below one
 * could swap a directory that was listed for a link, and have a privileged run read, or remove, what lies where that
 * leads. Each is opened when it is needed; the last few stay open.
 */
export class SourceTrees {
  private readonly open: SourceTree[] = [];
  private readonly areThere = existsSync('/proc/self/fd');

  /** `told`: a link of another user was met in names that a user has given. */
  constructor(readonly told: () => void) {}

  /**
   * The tree at `path`, which may lead through links itself. `isNamed`: names in it are a user's own (-R), so they may
   * lead through links that are root's or the own user's. null: this system has nothing to hold directories by.
   */
  at(path: ByteString, isNamed: boolean): SourceTree | null {
    return this.areThere ? new SourceTree(this, path, isNamed) : null;
  }

  /** For a tree that was opened. */
  note(tree: SourceTree): void {
    this.open.push(tree);
    if (this.open.length > MOST_OPEN) this.open.shift()?.close();
  }

  close(): void {
    for (const tree of this.open.splice(0)) tree.close();
  }
}

export class SourceTree {
  private held: Root | null = null;

  constructor(
    private readonly trees: SourceTrees,
    private readonly path: ByteString,
    private readonly isNamed: boolean,
  ) {}

  /** The tree, open. Throws an errno error. */
  get root(): Root {
    if (this.held === null) {
      this.held = this.isNamed ? Root.named(this.path, this.trees.told) : Root.confined(this.path);
      this.trees.note(this);
    }
    return this.held;
  }

  close(): void {
    this.held?.close();
    this.held = null;
  }
}
