import type { ByteString } from '../../protocol/options.js';
import type { TreeWatcher } from '../watch/changes.js';

/**
 * Directories of one source whose files of rules changed: the watches are put right first, and what the directory holds is
 * compared then, so that nothing is missed in what counts from now on. While some are at work, others gather.
 */
export class RuleChanges {
  /** Directories that wait for their turn, each with the targets that it matters to. */
  private waiting = new Map<ByteString, Set<number>>();
  /** Those whose watches are being put right. */
  private atWork: typeof this.waiting = new Map();
  private start: NodeJS.Immediate | null = null;

  /** `due` is told of each directory that is to be compared, and for which target. */
  constructor(
    private readonly watcher: () => TreeWatcher | null,
    private readonly due: (dir: ByteString, target: number) => void,
  ) {}

  add(dir: ByteString, target: number): void {
    const targets = this.waiting.get(dir);
    if (targets === undefined) this.waiting.set(dir, new Set([target]));
    else targets.add(target);
    // All events that came together are told of first.
    if (this.atWork.size === 0) this.start ??= setImmediate(() => this.begin());
  }

  private begin(): void {
    this.start = null;
    const watcher = this.watcher();
    if (watcher === null || this.waiting.size === 0) return;
    const all = this.waiting;
    this.atWork = all;
    this.waiting = new Map();
    for (const [dir, targets] of [...all]) {
      watcher.review(dir, () => {
        // It may have been let go of meanwhile.
        if (!all.delete(dir)) return;
        for (const target of targets) this.due(dir, target);
        if (all.size === 0) this.begin();
      });
    }
  }

  /** Lets go of all that wait, whatever is watched. */
  flush(): void {
    if (this.start !== null) clearImmediate(this.start);
    this.start = null;
    for (const all of [this.atWork, this.waiting]) {
      for (const [dir, targets] of all) for (const target of targets) this.due(dir, target);
      all.clear();
    }
  }
}
