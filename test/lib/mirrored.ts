import fs from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { MIRROR_DEFAULTS } from '../../src/live/defaults.js';
import { createMirror } from '../../src/live/mirror.js';
import type { Mirror, MirrorSpec, TargetSpec } from '../../src/live/types.js';
import { Change } from '../../src/watch/changes.js';
import { type RunningDaemon, startDaemon } from './daemon.js';
import type { Program } from './project.js';
import { memoryDir } from './temp.js';

const ALL = Change.WRITTEN | Change.MADE | Change.REMOVED | Change.ATTRIBUTES | Change.MODIFIED;

/** An empty source, and a daemon whose module `m` is `copy`. */
export interface Place {
  source: string;
  copy: string;
  daemon: RunningDaemon;
  /** Starts the daemon again, on the same port. */
  again(): Promise<RunningDaemon>;
}

export async function place(t: Test, program: Program, globals = {}): Promise<Place> {
  const dir = memoryDir(t);
  const [source, copy] = [join(dir, 'source'), join(dir, 'module')];
  fs.mkdirSync(source);
  fs.mkdirSync(copy);
  const modules = { m: { path: copy, 'read only': 'no' } };
  const setup = { dir: join(dir, 'daemon'), modules, globals };
  const daemon = await startDaemon(t, program, setup);
  return { source, copy, daemon, again: () => startDaemon(t, program, { ...setup, port: daemon.port }) };
}

/** A mirror in this process. */
export interface Running {
  mirror: Mirror;
  lines: string[];
  target(name?: string): ReturnType<Mirror['status']>['targets'][number];
}

export function targetOf(daemon: RunningDaemon, options: string[], name = 'copy'): TargetSpec {
  return { name, options, dest: daemon.url('m/'), password: null, maxSessions: 1 };
}

/** Starts a mirror of what is in `source`, and waits until its targets are in step or have failed. */
export async function running(
  t: Test,
  source: string,
  targets: TargetSpec[],
  more: Partial<MirrorSpec> = {},
): Promise<Running> {
  const lines: string[] = [];
  const spec = { ...MIRROR_DEFAULTS, name: 'test', sources: [`${source}/`], targets, wanted: ALL, ...more };
  const mirror = createMirror(spec, { log: (kind, text) => lines.push(`${kind}: ${text}`) });
  t.teardown(() => mirror.stop(false));
  await mirror.start();
  const target = (name?: string) => mirror.status().targets.find((s) => name === undefined || s.name === name)!;
  return { mirror, lines, target };
}
