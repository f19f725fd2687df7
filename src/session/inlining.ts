/** Bytes of bytecode that V8 takes over from others into one function that it optimises; its own limit is 920. */
const LIMIT = 150;
/** Files after which that is worth the few milliseconds that V8's module takes to load. */
const MANY = 300;

let isAllowed = false;
let transferred = 0;

/**
 * Lets a run that transfers many files tell V8 to inline little. Much of what V8 inlines belongs to several callers, and is
 * compiled again for each of them: half a second of processor, which a run of some seconds never gets back. Only for a
 * program of our own, as it concerns all code of the process.
 */
export function allowLessInlining(): void {
  isAllowed = true;
}

/** To be called for each file, or for several. */
export function countTransferred(count = 1): void {
  if (transferred < MANY && transferred + count >= MANY && isAllowed) limitInlining();
  transferred += count;
}

function limitInlining(): void {
  // Not imported, so that only who needs it loads it.
  process.getBuiltinModule('v8').setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${LIMIT}`);
}
