import { bind, libcLoaded } from './libc.js';

/** Of <malloc.h>: bytes that may lie free at the end of an arena before they are given back. */
const M_TRIM_THRESHOLD = -1;
const SLACK = 512 * 1024;

/**
 * Has the C library give back what lies free at the end of its arenas. By itself it keeps twice as much as the largest piece that was
 * ever freed, here several MiB, in each of the arenas that the threads of V8's compiler have. Where there is no such setting, nothing
 * happens. False as long as the library is not loaded.
 */
export function keepLittleFree(): boolean {
  if (!libcLoaded()) return false;
  try {
    bind('int mallopt(int parameter, int value)')(M_TRIM_THRESHOLD, SLACK);
  } catch {
    // Another C library.
  }
  return true;
}
