import type { RunStats } from '../report/stats.js';

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
