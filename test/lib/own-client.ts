import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { FileList } from '../../protocol/flist/list.js';
import { parseRun, runTransfer } from '../../src/api/run.js';
import type { Session } from '../../src/session/session.js';
import { RSYNC } from './project.js';
import { fakeRemoteShell } from './remote-shell.js';
import type { CopyDirection } from './routes.js';
import { run } from './run.js';

const TIME_LIMIT = 100_000;

export function emptyFiles(dir: string, from: number, to: number): void {
  mkdirSync(dir, { recursive: true });
  for (let file = from; file < to; file++) writeFileSync(join(dir, `file${file}`), '');
}

/** What a program prints; its exit code has to be 0. */
export async function real(command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, args);
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
  return stdout;
}

/**
 * Runs our client in this process, with the real rsync at the other end, between `source` and `target` in `dir`; what it
 * said, and its session.
 */
export async function transfer(direction: CopyDirection, dir: string, options: readonly string[]) {
  const far = (name: string) => `host:${join(dir, name)}/`;
  const near = (name: string) => `${join(dir, name)}/`;
  const paths = direction === 'push' ? [near('source'), far('target')] : [far('source'), near('target')];
  const shell = ['-e', fakeRemoteShell(dir), `--rsync-path=${RSYNC.remotePath}`];
  const lines: string[] = [];
  const o = {
    options: [...shell, ...options],
    onOutput: (line: string) => lines.push(line),
    onError: (line: string) => lines.push(line),
    signal: AbortSignal.timeout(TIME_LIMIT),
  };
  const sessions: Session[] = [];
  const { exitCode } = await runTransfer(parseRun(paths, o), o, { onSession: (session) => sessions.push(session) });
  return { exitCode, lines, session: sessions[0] };
}

/** All that is left of a list whose run is over: the last rows, and those of the first list, which has the root. */
export function checkForgotten(t: Test, list: FileList): void {
  t.ok(list.chunksKept <= 2, `${list.chunksKept} chunks are left of ${list.count} rows`);
  t.equal(list.segments.oldest, null, 'all lists have ended');
  t.ok(list.dirs.size <= 3, `${list.dirs.size} paths are left`);
}
