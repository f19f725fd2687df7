import { execFileSync } from 'node:child_process';
import { closeSync, lstatSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { S_IFLNK, S_IFMT } from '../../protocol/constants.js';
import { FileList } from '../../protocol/flist/list.js';
import type { Options } from '../../protocol/options.js';
import type { ItemContext } from '../../src/report/item.js';
import { RSYNC } from '../lib/project.js';
import { cleanEnv } from '../lib/run.js';
import { type Teardown, tempDir } from '../lib/temp.js';

/** Output of the real rsync as bytes. Its messages come out in the given environment. */
export function realRsync(args: string[], env: Record<string, string> = {}, cwd?: string): string {
  return execFileSync(RSYNC.command, args, {
    env: cleanEnv(env),
    encoding: 'latin1',
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** The options that printing looks at, as a plain `rsync -a` has them. */
export function options(changes: Partial<Options> = {}): Options {
  const base: Partial<Options> = {
    info: {},
    checksum: false,
    links: true,
    times: true,
    owner: true,
    group: true,
    atimes: 0,
    dryRun: false,
    humanReadable: 1,
    eightBit: false,
    deleteMissingArgs: false,
  };
  return { ...base, ...changes } as Options;
}

export function context(changes: Partial<ItemContext> = {}): ItemContext {
  return {
    options: options(),
    localServer: true,
    direction: 'send',
    pid: 4711,
    now: () => new Date(1_790_000_000_000),
    protocol: 32,
    isServer: false,
    ...changes,
  };
}

/** Appends what lies at `dir/name` to a file list and returns its row. */
export function addFile(list: FileList, dir: string, name: string): number {
  const path = Buffer.from(`${dir}/${name}`, 'latin1');
  const stat = lstatSync(path);
  const row = list.addRow();
  const slash = name.lastIndexOf('/');
  list.setDir(row, list.dirs.id(slash < 0 ? '' : name.slice(0, slash)));
  const base = Buffer.from(name.slice(slash + 1), 'latin1');
  list.setName(row, base, 0, base.length);
  list.setMode(row, stat.mode);
  list.setSize(row, stat.size);
  list.setMtime(row, Math.floor(stat.mtimeMs / 1000));
  list.setUid(row, stat.uid);
  list.setGid(row, stat.gid);
  list.setAtime(row, Math.floor(stat.atimeMs / 1000));
  if ((stat.mode & S_IFMT) === S_IFLNK) {
    list.setTarget(row, readlinkSync(path, { encoding: 'buffer' }));
  }
  return row;
}

/** A list with one entry that is nowhere on disk. */
export function oneEntry(mode: number, name = 'name'): { list: FileList; row: number } {
  const list = new FileList();
  const row = list.addRow();
  const bytes = Buffer.from(name, 'latin1');
  list.setName(row, bytes, 0, bytes.length);
  list.setMode(row, mode);
  if ((mode & S_IFMT) === S_IFLNK) {
    list.setTarget(row, Buffer.from('target'));
  }
  return { list, row };
}

/** Runs `print` with two files in place of standard output and standard error, and returns what it wrote to them. */
export async function capture(
  t: Teardown,
  print: (fds: { out: number; err: number }) => void | Promise<void>,
): Promise<{ stdout: string; stderr: string }> {
  const dir = tempDir(t);
  const fds = { out: openSync(join(dir, 'out'), 'w'), err: openSync(join(dir, 'err'), 'w') };
  try {
    await print(fds);
  } finally {
    closeSync(fds.out);
    closeSync(fds.err);
  }
  return { stdout: readFileSync(join(dir, 'out'), 'latin1'), stderr: readFileSync(join(dir, 'err'), 'latin1') };
}
