import { chmodSync, existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

const MEMORY = '/dev/shm';

/** The part of a tap test that helpers need: something that can be told what to do at the end. */
export interface Teardown {
  teardown(fn: () => unknown): void;
}

/** A fresh directory (mode 755, so that a daemon's `nobody` can enter it) that goes away when the test ends. */
export function tempDir(t: Teardown, prefix = 'tsrsync-test-'): string {
  const dir = makeTempDir(prefix);
  t.teardown(() => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));
  return dir;
}

/** The same in memory, where there is such a place: for many files, or some that are written again and again. */
export function memoryDir(t: Teardown): string {
  return tempDir(t, existsSync(MEMORY) ? `${MEMORY}/tsrsync-test-` : undefined);
}

/** The same without a test around it; the caller removes it. An absolute `prefix` is a place of its own. */
export function makeTempDir(prefix = 'tsrsync-'): string {
  const dir = realpathSync(mkdtempSync(resolve(tmpdir(), prefix)));
  chmodSync(dir, 0o755);
  return dir;
}
