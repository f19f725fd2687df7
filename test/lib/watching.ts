import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { TreeWatcher, WatchOptions } from '../../src/watch/changes.js';
import { Change } from '../../src/watch/changes.js';
import { watchTree } from '../../src/watch/watch.js';
import { ModelMirror } from './model-mirror.js';
import { PROJECT } from './project.js';
import type { Teardown } from './temp.js';
import { waitFor } from './wait.js';

export interface Watching {
  watcher: TreeWatcher;
  mirror: ModelMirror;
  /** 'kind: text' of each line for a log. */
  reports: string[];
  /** Waits until the mirror, which knows only what it is told, equals the tree. */
  equal(ms?: number): Promise<void>;
  /** Waits until a line that was told matches; returns it. */
  told(pattern: RegExp, ms?: number): Promise<string>;
}

/** Watches `root` with a mirror as its sink, until the test ends. */
export function startWatching(t: Teardown, root: string, options: Partial<WatchOptions> = {}): Watching {
  const mirror = new ModelMirror(root);
  const reports: string[] = [];
  const watcher = watchTree(
    {
      root,
      isExcluded: () => false,
      wanted: Change.WRITTEN | Change.MADE | Change.REMOVED | Change.ATTRIBUTES,
      via: 'inotify',
      pollMs: 200,
      report: (kind, text) => void reports.push(`${kind}: ${text}`),
      ...options,
    },
    mirror,
  );
  t.teardown(() => watcher.close());
  const equal = async (ms = 90_000): Promise<void> => {
    const isEqual = () => {
      mirror.sync();
      return mirror.differences().length === 0;
    };
    await waitFor(isEqual, ms, 'the mirror to equal the tree').catch((error: Error) => {
      const lines = [...mirror.differences().slice(0, 10), 'told:', ...mirror.told.slice(-400)];
      throw new Error(`${error.message}\n${lines.join('\n')}`);
    });
  };
  const told = async (pattern: RegExp, ms = 10_000): Promise<string> => {
    const find = () => mirror.told.find((line) => pattern.test(line));
    await waitFor(() => find() !== undefined, ms, `${pattern} among\n${mirror.told.join('\n')}`);
    return find()!;
  };
  return { watcher, mirror, reports, equal, told };
}

/** Runs a shell script in `cwd` to its end. */
export function sh(script: string, cwd: string): Promise<void> {
  return ended('sh', ['-ec', script], cwd);
}

/** Random operations on a tree by some processes at once. */
export async function workload(dir: string, seed: number, count: number, processes = 3): Promise<void> {
  const program = join(PROJECT, 'build/test/lib/workload.js');
  const all = Array.from({ length: processes }, (_, i) =>
    ended(process.execPath, [program, dir, String(seed + i), String(count)], dir),
  );
  await Promise.all(all);
}

function ended(command: string, args: string[], cwd: string): Promise<void> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}`))));
  });
}
