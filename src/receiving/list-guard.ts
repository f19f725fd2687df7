import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { FilterScope } from '../../protocol/filter/rules.js';
import { EntryFlag, type FileList } from '../../protocol/flist/list.js';
import type { RequestedNames } from '../../protocol/flist/requested.js';
import { mungeTarget, sanitizeTarget } from '../files/special.js';

/** What becomes of the targets of received links: a daemon's module may not let them lead anywhere. */
export type LinkTargets = 'kept' | 'munged' | 'sanitized';

/** Looks at what a sender lists before it is used (section 15), and makes link targets harmless on a daemon. */
export class ListGuard {
  constructor(
    /** What a client that does not trust the sender has asked for; null: everything is taken. */
    private readonly requested: RequestedNames | null,
    /** The client's rules as the sender should have applied them, or null. */
    private readonly rules: FilterScope | null,
    private readonly targets: LinkTargets,
  ) {}

  /** Checks the rows from `start` on. Exit code 4 for a name that the sender had no reason to list. */
  check(list: FileList, start: number): void {
    if (this.requested !== null || this.rules !== null) this.checkNames(list, start);
    if (this.targets === 'munged') munge(list, start);
    else if (this.targets === 'sanitized') sanitize(list, start);
  }

  private checkNames(list: FileList, start: number): void {
    const { requested, rules } = this;
    let lastDir = -1;
    let allAccepted = false;
    for (let row = start; row < list.count; row++) {
      if (list.isInactive(row)) continue;
      // All that follow are in the same directory.
      if (allAccepted && rules === null && row > list.filesFrom) return;
      if (list.dir(row) !== lastDir) {
        lastDir = list.dir(row);
        allAccepted = requested === null || requested.acceptsAllIn(list.dirs.path(lastDir));
      }
      if (allAccepted && rules === null) continue;
      const isDir = list.isDir(row);
      const path = list.path(row);
      const onlyLeads = isDir && !allAccepted && requested!.isOnlyParent(path);
      if (onlyLeads) limitToParent(list, row);
      if (path === '.' || path === '/.') continue;
      if (rules !== null && !onlyLeads && rules.verdict(path, isDir) < 0) throw rejected('excluded', path);
      if (!allAccepted && !requested!.accepts(path, isDir)) throw rejected('unrequested', path);
    }
  }
}

/** A directory that came along for what lies in it: whatever the sender says, nothing else in it is deleted. */
function limitToParent(list: FileList, row: number): void {
  list.setFlags(row, (list.flags(row) & ~(EntryFlag.TOP_DIR | EntryFlag.CONTENT_DIR)) | EntryFlag.IMPLIED_DIR);
}

function rejected(what: string, path: string): RsyncError {
  return new RsyncError(Exit.UNSUPPORTED, `ERROR: rejecting ${what} file-list name: ${path}`);
}

/** Link targets get a prefix that makes them lead nowhere. */
function munge(list: FileList, start: number): void {
  for (let row = start; row < list.filesFrom; row++) {
    if (!list.isLink(row) || list.target(row).length === 0) continue;
    list.setTarget(row, mungeTarget(list.target(row)));
  }
}

/** Link targets that would leave the tree are bent so that they stay in it. */
function sanitize(list: FileList, start: number): void {
  for (let row = start; row < list.filesFrom; row++) {
    if (!list.isLink(row) || list.extra(row) < 0) continue;
    const dir = list.dirPath(row);
    const depth = dir.split('/').filter((part) => part !== '').length;
    list.setTarget(row, sanitizeTarget(list.target(row), depth));
  }
}
