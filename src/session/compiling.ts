/** Bytes of bytecode that V8 takes over from others into one function that it optimises; its own limit is 920. */
const INLINED = 150;
/** Bytes of bytecode that a function has to run before V8 optimises it; by itself it takes a third of that. */
const BUDGET = 400_000;
/** Files after which that is worth the few milliseconds that V8's module takes to load. */
const MANY = 300;

let isAllowed = false;
let transferred = 0;

/**
 * Lets a run that transfers many files tell V8 to inline little and to optimise late. Much of what V8 inlines belongs to several
 * callers, and is compiled again for each of them; and what is called once for a directory, or for the files before the thread
 * for file work is there, is not worth it. Half a second of processor, which a run of some seconds never gets back. Only for
 * a program of our own, as it concerns all code of the process.
 */
export function allowLessCompiling(): void {
  isAllowed = true;
}

/** To be called for each file, or for several. */
export function countTransferred(count = 1): void {
  if (transferred < MANY && transferred + count >= MANY && isAllowed) limitCompiling();
  transferred += count;
}

function limitCompiling(): void {
  // Not imported, so that only who needs it loads it.
  const { setFlagsFromString } = process.getBuiltinModule('v8');
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED}`);
  setFlagsFromString(`--interrupt-budget=${BUDGET}`);
}
