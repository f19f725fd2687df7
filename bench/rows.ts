import {
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { PROJECT } from '../test/lib/project.js';
import { Random } from '../test/lib/random.js';

/** One line of the table: a job that is done again and again, from the same state each time. */
export interface Row {
  name: string;
  about: string;
  /** How many times as fast as rsync with rsync our two ends together are to be. */
  goal: number;
  /** 'local': no daemon, only the two clients are compared. */
  direction: 'push' | 'pull' | 'local';
  args: string[];
  /** Makes the source folder, once. */
  source(dir: string, scale: number): void;
  /** Brings the target folder into the state that a run begins with; `source` is the source folder. */
  target(dir: string, source: string): void;
}

const MIB = 1 << 20;
const FILES_PER_DIR = 100;

function clear(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
}

/** The copy is there already: made at the first run, and left alone by a run that has nothing to do. */
function keep(dir: string, source: string): void {
  if (existsSync(dir)) return;
  cpSync(source, dir, { recursive: true, preserveTimestamps: true });
}

function files(dir: string, count: number, content: (index: number) => Buffer): void {
  for (let index = 0; index < count; index++) {
    const folder = join(dir, `d${Math.floor(index / FILES_PER_DIR)}`);
    if (index % FILES_PER_DIR === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file${index}`), content(index));
  }
}

function smallFiles(dir: string, scale: number): void {
  const random = new Random(1);
  const block = random.bytes(4096);
  files(dir, Math.max(FILES_PER_DIR, Math.round(50_000 * scale)), (index) => {
    block.writeUInt32LE(index, 0);
    return block;
  });
}

/** A file of random bytes; the same seed gives the same bytes. */
export function large(path: string, scale: number, seed: number): void {
  const random = new Random(seed);
  const piece = random.bytes(MIB);
  const fd = openSync(path, 'w');
  const count = Math.max(1, Math.round(1024 * scale));
  for (let index = 0; index < count; index++) {
    // A full generator would take minutes: each MiB is the first one, changed by its number in every word.
    const words = new Uint32Array(piece.buffer, piece.byteOffset, MIB / 4);
    for (let at = 0; at < words.length; at++) words[at] = Math.imul(words[at] ^ (index + 1), 0x9e3779b1);
    writeSync(fd, piece);
  }
  closeSync(fd);
}

/** 1000 edits of 100 bytes, spread over the file. */
function scatter(path: string, scale: number): void {
  const random = new Random(7);
  const size = Math.max(1, Math.round(1024 * scale)) * MIB;
  const fd = openSync(path, 'r+');
  for (let edit = 0; edit < 1000; edit++) {
    writeSync(fd, random.bytes(100), 0, 100, random.int(size - 100));
  }
  closeSync(fd);
}

/** 777 bytes in front and 600 in the middle of what `from` has. */
function insertions(from: string, to: string): void {
  const random = new Random(8);
  const input = openSync(from, 'r');
  const output = openSync(to, 'w');
  const piece = Buffer.allocUnsafe(MIB);
  writeSync(output, random.bytes(777));
  const half = Math.floor(fstatSync(input).size / 2 / MIB);
  for (let index = 0; ; index++) {
    const count = readSync(input, piece, 0, MIB, index * MIB);
    if (count === 0) break;
    if (index === half) writeSync(output, random.bytes(600));
    writeSync(output, piece, 0, count);
  }
  closeSync(input);
  closeSync(output);
}

/** The target holds an older file of the same name; `basis` is made beside the source, once. */
function olderBasis(dir: string, source: string): void {
  clear(dir);
  copyFileSync(`${source}.basis`, join(dir, 'large'));
  utimesSync(join(dir, 'large'), 1, 1);
}

/** A large file and what the target has instead of it. */
function largePair(make: (source: string, basis: string, scale: number) => void): Row['source'] {
  return (dir, scale) => {
    mkdirSync(dir);
    make(join(dir, 'large'), `${dir}.basis`, scale);
  };
}

/** Small files and a few large ones: sums of both kinds. */
function mixedFiles(dir: string, scale: number): void {
  smallFiles(dir, scale);
  for (let index = 0; index < 4; index++) large(join(dir, `large${index}`), scale / 16, index);
}

const smallPush = (dir: string): void => {
  mkdirSync(dir);
  writeFileSync(join(dir, 'file'), 'hello');
};

const largeFile = largePair((source, _basis, scale) => large(source, scale, 2));

/** What is no source among what is installed: programs for machines, and what tools keep for themselves. */
const NO_SOURCES = new Set(['@biomejs', '@esbuild', '@koromix', '.cache']);

/** Sources of programs: what is installed for building this one. */
function sourceTree(dir: string): void {
  const filter = (path: string): boolean => !NO_SOURCES.has(basename(path)) && !path.endsWith('.node');
  cpSync(join(PROJECT, 'node_modules'), dir, { recursive: true, verbatimSymlinks: true, filter });
}

export function emptyFiles(dir: string, scale: number): void {
  files(dir, Math.max(FILES_PER_DIR, Math.round(300_000 * scale)), () => Buffer.alloc(0));
}

export const ROWS: readonly Row[] = [
  {
    name: 'small-file',
    goal: 1,
    about: 'push one file of 5 bytes',
    direction: 'push',
    args: ['-a'],
    source: smallPush,
    target: clear,
  },
  {
    name: 'push-50k',
    goal: 1.5,
    about: 'push 50,000 x 4 KB',
    direction: 'push',
    args: ['-a'],
    source: smallFiles,
    target: clear,
  },
  {
    name: 'pull-50k',
    goal: 1.5,
    about: 'pull 50,000 x 4 KB',
    direction: 'pull',
    args: ['-a'],
    source: smallFiles,
    target: clear,
  },
  {
    name: 'push-50k-same',
    goal: 1,
    about: 'the same, nothing to do',
    direction: 'push',
    args: ['-a'],
    source: smallFiles,
    target: keep,
  },
  {
    name: 'pull-50k-same',
    goal: 1,
    about: 'the same, nothing to do',
    direction: 'pull',
    args: ['-a'],
    source: smallFiles,
    target: keep,
  },
  {
    name: 'checksum-same',
    goal: 1.2,
    about: '-c, 50,000 x 4 KB and 4 x 64 MiB, nothing to do',
    direction: 'push',
    args: ['-ac'],
    source: mixedFiles,
    target: keep,
  },
  {
    name: 'push-1g',
    goal: 1.2,
    about: 'push 1 GiB',
    direction: 'push',
    args: ['-a'],
    source: largeFile,
    target: clear,
  },
  {
    name: 'pull-1g',
    goal: 1.2,
    about: 'pull 1 GiB',
    direction: 'pull',
    args: ['-a'],
    source: largeFile,
    target: clear,
  },
  {
    name: 'edits-1g',
    goal: 2,
    about: '1 GiB, 1000 scattered edits',
    direction: 'push',
    args: ['-a'],
    source: largePair((source, basis, scale) => {
      large(basis, scale, 2);
      copyFileSync(basis, source);
      scatter(source, scale);
    }),
    target: olderBasis,
  },
  {
    name: 'insertions-1g',
    goal: 1.3,
    about: '1 GiB, 777 bytes in front, 600 in the middle',
    direction: 'push',
    args: ['-a'],
    source: largePair((source, basis, scale) => {
      large(basis, scale, 2);
      insertions(basis, source);
    }),
    target: olderBasis,
  },
  {
    name: 'unrelated-1g',
    goal: 8,
    about: '1 GiB against an unrelated basis',
    direction: 'push',
    args: ['-a'],
    source: largePair((source, basis, scale) => {
      large(basis, scale, 3);
      large(source, scale, 2);
    }),
    target: olderBasis,
  },
  {
    name: 'source-z',
    goal: 1.2,
    about: 'a source tree (node_modules without binaries) with -z',
    direction: 'push',
    args: ['-az'],
    source: sourceTree,
    target: clear,
  },
  {
    name: 'local-50k',
    goal: 2,
    about: 'copy 50,000 x 4 KB on this machine',
    direction: 'local',
    args: ['-a'],
    source: smallFiles,
    target: clear,
  },
  {
    name: 'local-1g',
    goal: 2,
    about: 'copy 1 GiB on this machine',
    direction: 'local',
    args: ['-a'],
    source: largeFile,
    target: clear,
  },
  {
    name: 'empty-300k',
    goal: 1.2,
    about: '300,000 empty files, nothing to do',
    direction: 'push',
    args: ['-a'],
    source: emptyFiles,
    target: keep,
  },
];
