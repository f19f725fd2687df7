import { setEngineFlag } from '../libc/engine-flags.js';
import { keepLittleFree } from '../libc/malloc.js';

/** Bytes of bytecode that V8 takes over from others into one function that it optimises, and its own limit. */
const INLINED = 150;
const OWN_INLINED = 920;
/** Bytes of bytecode that a function has to run before V8 optimises it, and what V8 takes by itself. */
const BUDGET = 400_000;
const OWN_BUDGET = 66 * 1024;
/** Files that are transferred, and entries of lists, after which V8 is told so. */
const MANY_FILES = 300;
const SOME_ENTRIES = 300;
const MANY_ENTRIES = 4000;

let isAllowed = false;
let lastsLong = false;
let transferred = 0;
let listed = 0;
let hasLongLists = false;
let keepsLittle = false;

/**
 * Lets a run of many files tell V8 what suits such a run. Only for a program of our own, as it concerns all code of the process.
 *
 * One of many files has its code optimised late: what is called once for a directory, or for the files before the thread for file
 * work is there, is not worth it. One that transfers them has little inlined, too: much of what V8 inlines belongs to several
 * callers, and is compiled again for each of them. That is half a second of processor, which a run of some seconds never gets back.
 *
 * One with long lists keeps the room for new objects as it is, as hardly any are made: V8 would let it grow to the next size again
 * and again.
 */
export function allowEngineLimits(): void {
  isAllowed = true;
}

/**
 * For a process that goes from one session to the next. V8 keeps what it compiled of functions that were not called for a while:
 * it would give that up, and compile it again while somebody waits for the answer. And it optimises by its own rules, since
 * many sessions have what that costs once. Only for a program of our own.
 */
export function stayForLong(): void {
  lastsLong = true;
  setEngineFlag('--no-flush-bytecode', '--flush-bytecode');
}

/** Whether this process has one run to do, and nothing else that would have to wait for a long step of it. */
export function hasOneRun(): boolean {
  return isAllowed && !lastsLong;
}

/** To be called for each file, or for several. */
export function countTransferred(count = 1): void {
  if (transferred < MANY_FILES && transferred + count >= MANY_FILES && isAllowed && !lastsLong) {
    const inlined = '--max-inlined-bytecode-size-cumulative';
    setEngineFlag(`${inlined}=${INLINED}`, `${inlined}=${OWN_INLINED}`);
    optimiseLate();
  }
  transferred += count;
}

/** To be called for each list of entries. */
export function countListed(count: number): void {
  if (listed < SOME_ENTRIES && listed + count >= SOME_ENTRIES && isAllowed && !lastsLong) optimiseLate();
  expectListed(count);
  listed += count;
  if (hasLongLists && !keepsLittle) keepsLittle = keepLittleFree();
}

/** To be called where it is known early that so many entries come. */
export function expectListed(count: number): void {
  if (!isAllowed || hasLongLists || listed + count < MANY_ENTRIES) return;
  hasLongLists = true;
  const growth = '--semi-space-growth-factor';
  setEngineFlag(`${growth}=1`, `${growth}=2`);
}

/** The newest V8 (of Node 20) that has a budget of this name. */
const LAST_WITH_BUDGET = 11;

let isLate = false;

function optimiseLate(): void {
  const budget = '--interrupt-budget';
  if (!isLate) setEngineFlag(`${budget}=${BUDGET}`, `${budget}=${OWN_BUDGET}`, LAST_WITH_BUDGET);
  isLate = true;
}
