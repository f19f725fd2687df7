import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Program, RSYNC, TSRSYNC } from '../lib/project.js';
import { normalize } from '../lib/routes.js';
import { type RunOptions, type RunResult, runProgram } from '../lib/run.js';

/** What a user sees of a run that failed, without what differs from run to run. */
export function visible(result: RunResult): { code: number | null; stdout: string; stderr: string } {
  const plain = (text: string): string =>
    normalize(text)
      .replace(/ at tsrsync \[/g, ' at * [')
      .replace(/\((\d+ )?bytes received so far\)/g, '(N bytes)')
      // Which end notices first that the other one has gone is chance.
      .replace(/^rsync: \[\w+\] (read|write) error: (Connection reset by peer|Broken pipe) \(\d+\)\n/gm, '')
      .replace(/\.\w{6}"/g, '.XXXXXX"');
  return { code: result.code, stdout: plain(result.stdout), stderr: plain(result.stderr) };
}

/** Runs the same command line with both programs: exit code, output and errors must be the same. */
export async function sameEnd(t: Test, name: string, args: readonly string[], options?: RunOptions): Promise<void> {
  const expected = visible(await runProgram(RSYNC, args, options));
  const actual = visible(await runProgram(TSRSYNC, args, options));
  t.same(actual, expected, name);
}

/** A remote shell that runs these lines, whatever it is asked for. Returns the options for a client. */
export function shellThat(dir: string, name: string, lines: string): string[] {
  const path = join(dir, name);
  writeFileSync(path, `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  return ['-e', path];
}

/** Runs one program and checks its exit code and what it says on standard error. */
export async function endsWith(
  t: Test,
  program: Program,
  args: readonly string[],
  code: number,
  stderr: string | RegExp,
  options?: RunOptions,
): Promise<RunResult> {
  const result = await runProgram(program, args, options);
  const actual = visible(result);
  t.equal(actual.code, code, `exit code of ${args.join(' ')}`);
  if (typeof stderr === 'string') t.equal(actual.stderr, stderr);
  else t.match(actual.stderr, stderr);
  t.notMatch(actual.stderr, /^ {4}at |internal error/m, 'no stack trace');
  return result;
}
