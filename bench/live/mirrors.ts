import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Program, RSYNC, TSRSYNC } from '../../test/lib/project.js';
import { cleanEnv, killGroup } from '../../test/lib/run.js';

/** What a mirror is to keep equal: a folder, and a folder of a daemon's module. */
export interface Task {
  source: string;
  /** `rsync://127.0.0.1:PORT/module/folder/`. */
  url: string;
  /** For the mirror's own files; made when missing. */
  dir: string;
}

/** A way of mirroring that is measured. */
export interface Contender {
  name: string;
  /** The daemon on the other side. */
  server: Program;
  /** The words of its command line; writes its configuration first when it needs one. */
  command(task: Task): string[];
}

/** A mirror at work. It leads a process group, which holds all that it starts. */
export interface RunningMirror {
  group: number;
  /** What it printed, for when it fails. */
  output(): string;
  /** When it is no more, for whatever reason. */
  ended: Promise<void>;
  stop(): Promise<void>;
}

/** As its handbook has it, with the smallest delay that is usual. */
function lsyncd(task: Task): string[] {
  const config = join(task.dir, 'lsyncd.conf');
  const text = `settings { nodaemon = true, logfile = "${join(task.dir, 'log')}", statusFile = "${join(task.dir, 'status')}" }
sync {
  default.rsync,
  source = "${task.source}",
  target = "${task.url}",
  delete = true,
  delay = 1,
  rsync = { archive = true }
}
`;
  writeFileSync(config, text);
  return ['lsyncd', config];
}

/** The loop of a hundred blogs, in its better form: what came in a burst is one run over the whole tree. */
const SCRIPT = `#!/bin/bash
rsync -a --delete "$1/" "$2"
inotifywait -mrq -e modify,create,close_write,delete,move,attrib --format '%w%f' "$1" |
while read -r line; do
  while read -r -t 0.01 line; do :; done
  rsync -a --delete "$1/" "$2"
done
`;

function script(task: Task): string[] {
  const path = join(task.dir, 'mirror.sh');
  writeFileSync(path, SCRIPT);
  return ['bash', path, task.source, task.url];
}

function watch(task: Task): string[] {
  return [TSRSYNC.command, ...TSRSYNC.prefix, '--watch', '-a', '--delete', `${task.source}/`, task.url];
}

export const CONTENDERS: readonly Contender[] = [
  { name: 'lsyncd to rsyncd', server: RSYNC, command: lsyncd },
  { name: 'script to rsyncd', server: RSYNC, command: script },
  { name: 'tsrsync to rsyncd', server: RSYNC, command: watch },
  { name: 'tsrsync to tsrsyncd', server: TSRSYNC, command: watch },
];

export function startMirror(contender: Contender, task: Task): RunningMirror {
  mkdirSync(task.dir, { recursive: true });
  const [command, ...args] = contender.command(task);
  const outputFile = join(task.dir, 'output');
  const out = openSync(outputFile, 'w');
  const child = spawn(command, args, { env: cleanEnv(), detached: true, stdio: ['ignore', out, out] });
  closeSync(out);
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  return {
    group: child.pid ?? 0,
    output: () => readFileSync(outputFile, 'latin1'),
    ended,
    stop: async () => {
      await endGroup(child);
      await ended;
    },
  };
}

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  killGroup(child, 'SIGTERM');
  const deadline = Date.now() + 5000;
  while (groupLives(child.pid) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  if (groupLives(child.pid)) killGroup(child, 'SIGKILL');
}

function groupLives(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whether the programs of a contender are there; the versions of all for the head of the table. */
export function versionOf(command: string, ...args: string[]): string | null {
  const done = spawnSync(command, args, { encoding: 'latin1' });
  if (done.error) return null;
  return /\d+\.\d+(\.\d+)*/.exec(done.stdout + done.stderr)?.[0] ?? null;
}
