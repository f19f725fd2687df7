/**
 * Loads the compressions. Not imported as others are: most sessions do not compress, and what is loaded at each start takes
 * its time. A daemon's worker calls it while it can still reach files.
 */
export const loadCodecs = () => import('./tokens.js');
