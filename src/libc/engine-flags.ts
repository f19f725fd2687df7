/*
 * Flags of V8 that are set while the program runs. Node's own modules come with a code cache, which V8 takes only under the flags
 * that it was made with. Under others, what Node loads late is compiled from its text (three times the time), and so is all that a
 * thread begins with (60 ms more of processor): such loads go on under V8's own flags.
 */

/** The newest V8 (of Node 24) that is known to have these flags. */
const NEWEST_KNOWN = 13;

interface Setting {
  flag: string;
  /** The same flag as V8 has it by itself. */
  own: string;
}

const settings: Setting[] = [];
/** Loads that are under way. */
let loads = 0;

/** Sets a flag for good. A V8 that does not know it says so on standard error, so one newer than `newest` is left alone. */
export function setEngineFlag(flag: string, own: string, newest = NEWEST_KNOWN): void {
  if (Number.parseInt(process.versions.v8, 10) > newest) return;
  settings.push({ flag, own });
  if (loads === 0) tell(flag);
}

/** Has V8 take Node's code cache until the function that is returned is called for the first time. */
export function beginLoad(): () => void {
  if (loads++ === 0) for (const { own } of settings) tell(own);
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    if (--loads === 0) for (const { flag } of settings) tell(flag);
  };
}

function tell(flag: string): void {
  // Not imported, so that only who needs it loads it: it loads streams, 2 ms.
  process.getBuiltinModule('v8').setFlagsFromString(flag);
}
