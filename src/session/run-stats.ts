import { Item, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import type { FileCounts, RunStats } from '../report/stats.js';

export function emptyStats(): RunStats {
  const counts = () => ({ total: 0, reg: 0, dir: 0, link: 0, dev: 0, special: 0 });
  return {
    sent: 0,
    received: 0,
    totalSize: 0,
    files: counts(),
    created: counts(),
    deleted: counts(),
    transferredFiles: 0,
    transferredSize: 0,
    literal: 0,
    matched: 0,
    listSize: 0,
    listBuildMs: 0,
    listTransferMs: 0,
    elapsedMs: 0,
  };
}

/** Adds an entry to the counts by its type; mode 0 is that of a missing argument, which is only in the total. */
export function countType(counts: FileCounts, mode: number): void {
  counts.total++;
  switch (mode & S_IFMT) {
    case S_IFREG:
      counts.reg++;
      break;
    case S_IFDIR:
      counts.dir++;
      break;
    case S_IFLNK:
      counts.link++;
      break;
    case S_IFCHR:
    case S_IFBLK:
      counts.dev++;
      break;
    case 0:
      break;
    default:
      counts.special++;
  }
}

/** Statistics of what the receiving side says it makes. */
export function countCreated(stats: RunStats, mode: number, iflags: number): void {
  if (iflags & Item.IS_NEW) countType(stats.created, mode);
}

/** Adds the deletion counts of the peer to the statistics (13.2): files, directories, links, devices, specials. */
export function applyDelStats(stats: RunStats, counts: readonly number[]): void {
  const d = stats.deleted;
  d.reg = counts[0];
  d.dir = counts[1];
  d.link = counts[2];
  d.dev = counts[3];
  d.special = counts[4];
  d.total = counts.reduce((sum, n) => sum + n, 0);
}
