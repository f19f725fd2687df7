/**
 * One of the processes of a storm: `node storm-worker.js ROOT SEED COUNT MS LOG`. Does COUNT operations on the tree ROOT,
 * in bursts that are spread over about MS milliseconds, and writes to LOG what it did: a line for each operation,
 * `TIME NUMBER NAME RESULT PATHS...`. Operation N of a seed is the same in each run, whatever became of those before it.
 */
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random } from './random.js';

const DIRS = 4;
const FILES = 10;
const DEPTH = 3;
/** Few, so that changes which leave the size as it was are common. */
const SIZES = [0, 1, 5, 5, 700, 700, 700, 4096, 4096, 30_000];
const FILE_MODES = [0o644, 0o600, 0o755, 0o444];
const DIR_MODES = [0o755, 0o700, 0o775];

/** What an operation works with: its own random numbers and the paths that it touches, in order. */
class Hand {
  readonly paths: string[] = [];

  constructor(
    readonly random: Random,
    private readonly root: string,
    readonly number: number,
  ) {}

  /** The full path of a name that is written down as touched. */
  private take(path: string): string {
    this.paths.push(path);
    return `${this.root}/${path}`;
  }

  private dirName(least: number): string {
    const depth = Math.max(least, this.random.int(DEPTH + 1));
    return Array.from({ length: depth }, () => `d${this.random.int(DIRS)}`).join('/');
  }

  private below(name: string): string {
    const dir = this.dirName(0);
    return dir === '' ? name : `${dir}/${name}`;
  }

  dir(least = 1): string {
    return this.take(this.dirName(least));
  }

  file(): string {
    return this.take(this.below(`f${this.random.int(FILES)}`));
  }

  /**
   * A name of a file that has several: never written in place, because no event tells of that under the other names,
   * and the name that it was done through may be gone before anyone can ask what it led to.
   */
  linked(): string {
    return this.take(this.below(`h${this.random.int(FILES)}`));
  }

  /** A name that is a link, a directory and a file in turn. */
  changing(): string {
    return this.take(this.below(`x${this.random.int(4)}`));
  }

  content(): Buffer {
    return this.random.bytes(this.random.chance(2) ? 300_000 : this.random.pick(SIZES));
  }
}

function writeNew(path: string, content: Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** As editors do it: a file beside it, and then its name. */
function save(hand: Hand, path: string): void {
  writeNew(`${path}~`, hand.content());
  if (hand.random.chance(50)) chmodSync(`${path}~`, hand.random.pick(FILE_MODES));
  renameSync(`${path}~`, path);
}

function changeType(hand: Hand): void {
  const path = hand.changing();
  rmSync(path, { recursive: true, force: true });
  mkdirSync(dirname(path), { recursive: true });
  const kind = hand.random.int(3);
  if (kind === 0) symlinkSync(hand.random.pick(['nowhere', '../f1', 'f2', '/etc/hostname']), path);
  else if (kind === 1) writeFileSync(path, hand.content());
  else writeNew(`${path}/f${hand.random.int(3)}`, hand.content());
}

/** A time of its own for each operation: two changes of one size and one time are the same to every rsync. */
function setTime(hand: Hand): void {
  const time = 1_000_000_000 + hand.number * 4;
  utimesSync(hand.file(), time, time);
}

/** Operations by how often they come. */
const OPERATIONS: readonly [name: string, weight: number, run: (hand: Hand) => void][] = [
  ['write', 24, (hand) => writeNew(hand.file(), hand.content())],
  ['append', 8, (hand) => appendFileSync(hand.file(), hand.content())],
  ['save', 8, (hand) => save(hand, hand.file())],
  ['move', 10, (hand) => renameSync(hand.file(), hand.file())],
  ['move-dir', 5, (hand) => renameSync(hand.dir(), hand.dir())],
  ['remove', 9, (hand) => unlinkSync(hand.file())],
  ['remove-dir', 1, (hand) => rmdirSync(hand.dir())],
  ['rm-rf', 2, (hand) => rmSync(hand.dir(hand.random.chance(10) ? 1 : 2), { recursive: true })],
  ['mkdir', 6, (hand) => mkdirSync(hand.dir(), { recursive: true })],
  ['save-linked', 5, (hand) => save(hand, hand.linked())],
  ['link', 9, (hand) => linkSync(hand.linked(), hand.linked())],
  ['move-linked', 3, (hand) => renameSync(hand.linked(), hand.linked())],
  ['remove-linked', 4, (hand) => unlinkSync(hand.linked())],
  ['change-type', 5, changeType],
  ['chmod', 6, (hand) => chmodSync(hand.file(), hand.random.pick(FILE_MODES))],
  ['chmod-dir', 3, (hand) => chmodSync(hand.dir(), hand.random.pick(DIR_MODES))],
  ['time', 5, setTime],
  ['truncate', 3, (hand) => truncateSync(hand.file(), hand.random.pick(SIZES))],
];

const TOTAL = OPERATIONS.reduce((sum, [, weight]) => sum + weight, 0);

function pick(random: Random): (typeof OPERATIONS)[number] {
  let at = random.int(TOTAL);
  return OPERATIONS.find(([, weight]) => {
    at -= weight;
    return at < 0;
  })!;
}

/** Does operation `number`; returns its line of the log. */
function operate(root: string, seed: number, number: number): string {
  const random = new Random(Math.imul(seed, 1_000_003) + number);
  const [name, , act] = pick(random);
  const hand = new Hand(random, root, number);
  let result = 'ok';
  try {
    act(hand);
  } catch (error) {
    result = (error as NodeJS.ErrnoException).code ?? String(error);
  }
  return `${Date.now()} ${number} ${name} ${result} ${hand.paths.join(' ')}\n`;
}

async function work(root: string, seed: number, count: number, ms: number, logFile: string): Promise<void> {
  const pace = new Random(seed);
  const start = Date.now();
  let lines = '';
  for (let number = 0; number < count; ) {
    for (let burst = pace.int(300); burst >= 0 && number < count; burst--) lines += operate(root, seed, number++);
    appendFileSync(logFile, lines);
    lines = '';
    const due = start + (number / count) * ms;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - Date.now())));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [root, seed, count, ms, logFile] = process.argv.slice(2);
  await work(root, Number(seed), Number(count), Number(ms), logFile);
}
