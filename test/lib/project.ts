import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json'))) dir = dirname(dir);
  return dir;
}

/** The folder that holds package.json: tests run from build/, so paths of the sources start here. */
export const PROJECT = findRoot();

/** A program in one of the two roles: a command and the words that go in front of its arguments. */
export interface Program {
  /** For test names: 'rsync' or 'tsrsync'. */
  name: string;
  command: string;
  prefix: string[];
  /** The same as one word list for --rsync-path, which a shell splits. */
  remotePath: string;
}

/** The real one, found through PATH. RSYNC in the environment names another binary. */
export const RSYNC: Program = {
  name: 'rsync',
  command: process.env.RSYNC ?? 'rsync',
  prefix: [],
  remotePath: process.env.RSYNC ?? 'rsync',
};

const bundle = join(PROJECT, 'dist', 'tsrsync.js');

/**
 * Ours: the built bundle. TSRSYNC in the environment names another program; with `TSRSYNC=rsync` the suites run the
 * real one on both sides, which shows that what they expect is what rsync does.
 */
export const TSRSYNC: Program =
  process.env.TSRSYNC !== undefined
    ? { name: 'tsrsync', command: process.env.TSRSYNC, prefix: [], remotePath: process.env.TSRSYNC }
    : { name: 'tsrsync', command: process.execPath, prefix: [bundle], remotePath: bundle };

/** True when the suites are pointed at the real rsync on both sides. */
export const SELF_CHECK = process.env.TSRSYNC === 'rsync';
