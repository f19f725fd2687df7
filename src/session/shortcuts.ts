import type { Options } from '../../protocol/options.js';

/** Ways that are faster than the usual one because they know only of plain files under plain options. One bit each. */
export const Shortcut = {
  /** The generator passes over files that are right already (`receiving/right-files/sweep.ts`). */
  SWEEP: 1,
  /** It does so for many at once (`receiving/right-files/run-check.ts`). */
  SWEEP_RUNS: 2,
  /** It asks for missing files in runs (`receiving/new-files/missing-files.ts`). */
  MISSING: 4,
  /** The sender answers requests in runs (`sending/answer-runs.ts`). */
  ANSWERS: 8,
  /** The receiver takes whole files in runs (`receiving/new-files/whole-files.ts`). */
  WHOLE: 16,
  /** A thread makes small files (`receiving/new-files/aside.ts`). */
  ASIDE: 32,
  /** A directory in which nothing was done is not looked at again at the end of its list (`receiving/landing/touch-up.ts`). */
  SPARE_DIRS: 64,
} as const;

const { SWEEP, SWEEP_RUNS, MISSING, ANSWERS, WHOLE, ASIDE, SPARE_DIRS } = Shortcut;

/**
 * Which options exclude which shortcut. A new option that looks at single files, or wants more of them than content, name, owner,
 * permissions and a time, belongs here. What the session or the place of files excludes is asked where the shortcut is.
 */
function excludedBy(o: Options): number {
  let out = 0;
  const exclude = (when: boolean, what: number): void => {
    if (when) out |= what;
  };
  // Nothing is made, or no data comes.
  exclude(o.listOnly, SWEEP | MISSING);
  exclude(o.dryRun, MISSING | ANSWERS | WHOLE);
  // Answers go to a file as well, or come from there whatever was asked for.
  exclude(o.batch !== null, MISSING | ANSWERS | WHOLE | ASIDE);
  // Something is said or done about each file that is right, or was sent.
  exclude((o.info.name ?? 0) >= 2, SWEEP);
  exclude(o.removeSourceFiles, SWEEP | ANSWERS);
  // Missing files are left out, or files that look right are asked for.
  exclude(o.existing, MISSING);
  exclude(o.ignoreExisting || o.maxSize >= 0 || o.minSize >= 0, SWEEP | MISSING);
  exclude(o.ignoreTimes, SWEEP);
  exclude(o.update, MISSING);
  exclude(o.update && (o.modifyWindow > 0 || !o.times), SWEEP);
  // The kernel compares whole seconds, or all of a time.
  exclude(o.modifyWindow > 0, SWEEP_RUNS);
  // Files are made of something else, or have something there already.
  exclude(o.basisKind !== null, SWEEP | MISSING);
  exclude(o.fuzzy > 0, MISSING);
  exclude(o.partialDir !== '', SWEEP | MISSING | ASIDE);
  exclude(o.append > 0, MISSING | ANSWERS | ASIDE);
  // They do not go straight to their place under a temporary name beside it, or stay when they are not whole.
  exclude(o.inplace || o.partial || o.delayUpdates || o.tempDir !== '' || o.backup, ASIDE);
  // Files of other directories, or other names of a directory, may change what is in it; deletions come later.
  exclude(o.backup || o.tempDir !== '' || o.partialDir !== '' || o.keepDirlinks, SPARE_DIRS);
  exclude(o.deleteMode === 'delay' || o.deleteMode === 'after', SPARE_DIRS);
  // An access list and a mode are not always right together after one turn.
  exclude(o.acls || o.xattrs > 0 || o.fakeSuper, SPARE_DIRS);
  // They are written in another manner.
  exclude(o.sparse || o.preallocate || o.fsync, ASIDE);
  // A device may be in their place, or in that of one of them.
  exclude(o.writeDevices, SWEEP | MISSING);
  exclude(o.copyDevices, ANSWERS);
  // They have more attributes than a list's plain columns.
  exclude(o.crtimes || o.atimes > 0, SWEEP | WHOLE | ASIDE);
  exclude(o.fakeSuper, SWEEP | MISSING | ASIDE);
  // Indexes are not in the order of names, and names may be missing.
  exclude(o.iconv !== '', SWEEP | MISSING | ANSWERS | WHOLE);
  // Permissions depend on what is there, or on the directory.
  exclude(!o.perms, MISSING);
  exclude(!o.perms && (o.executability || o.acls), SWEEP);
  // Parents are made when they are needed.
  exclude(o.relative && !o.impliedDirs, SWEEP | MISSING);
  return out;
}

/** True when no option excludes a shortcut, one of `Shortcut`. */
export function allows(o: Options, shortcut: number): boolean {
  return (excludedBy(o) & shortcut) === 0;
}
