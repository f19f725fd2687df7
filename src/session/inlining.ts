/** Bytes of bytecode that V8 takes over from others into one function that it optimises; its own limit is 920. */
const LIMIT = 150;

/**
 * For a program of its own, not for the library, because it concerns all code of the process: makes V8 inline little.
 * Much of what it would inline belongs to several callers, and is compiled for each of them: half a second of processor
 * for a run of many files, which never comes back.
 */
export function limitInlining(): void {
  // Not imported: loading the module takes some milliseconds.
  process.getBuiltinModule('v8').setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${LIMIT}`);
}
