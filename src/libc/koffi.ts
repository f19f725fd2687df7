import { createRequire } from 'node:module';

/** The part of koffi that is used here. */
export interface Koffi {
  load(path: string | null): KoffiLibrary;
  errno(): number;
  address(buffer: ArrayBufferView): number | bigint;
}

/** A loaded shared library: C prototypes become functions. */
export interface KoffiLibrary {
  func(prototype: string): KoffiFunction;
}

export type KoffiFunction = (...args: unknown[]) => number;

/** undefined: not tried yet. */
let koffi: Koffi | null | undefined;

/**
 * koffi, loaded at the first call (about 16 ms); null when it is not installed or has no build for this machine.
 * It is an optional dependency, so nothing may import it statically.
 */
export function loadKoffi(): Koffi | null {
  if (koffi === undefined) {
    try {
      // In a CommonJS bundle there is no import.meta; __filename stands for it there.
      const here = typeof __filename === 'string' ? __filename : import.meta.url;
      koffi = createRequire(here)('koffi') as Koffi;
    } catch {
      koffi = null;
    }
  }
  return koffi;
}
