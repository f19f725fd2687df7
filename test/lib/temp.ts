import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

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

/** The same without a test around it; the caller removes it. An absolute `prefix` is a place of its own. */
export function makeTempDir(prefix = 'tsrsync-'): string {
  const dir = realpathSync(mkdtempSync(resolve(tmpdir(), prefix)));
  chmodSync(dir, 0o755);
  return dir;
}
