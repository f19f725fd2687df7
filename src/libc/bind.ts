import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { systemError } from './errno.js';
import { type Koffi, type KoffiFunction, loadKoffi } from './koffi.js';

/** Functions of the C library by name, and koffi itself, which knows the error of the last call. */
export type Bound<Name extends string> = Record<Name, KoffiFunction> & { koffi: Koffi };

/** Binds C prototypes to the C library of this process; null when it cannot be reached. */
export function bindAll<Name extends string>(prototypes: Readonly<Record<Name, string>>): Bound<Name> | null {
  const koffi = loadKoffi();
  if (koffi === null) return null;
  try {
    // The process itself: node is linked to the C library, whatever that library's name is.
    const library = koffi.load(null);
    const table = { koffi } as Bound<Name>;
    for (const name of Object.keys(prototypes) as Name[]) {
      table[name] = library.func(prototypes[name]) as Bound<Name>[Name];
    }
    return table;
  } catch {
    return null;
  }
}

/** A function that binds at its first call and returns the same afterwards. */
export function lazily<Name extends string>(prototypes: Readonly<Record<Name, string>>): () => Bound<Name> | null {
  let bound: Bound<Name> | null | undefined;
  return () => {
    if (bound === undefined) bound = bindAll(prototypes);
    return bound;
  };
}

/** The bound functions, or an error (exit 4) that says which feature is missing. */
export function needed<T>(bound: T | null, feature: string): T {
  if (bound !== null) return bound;
  throw new RsyncError(
    Exit.UNSUPPORTED,
    `${feature}: not possible here, the optional package "koffi" cannot be loaded`,
  );
}

/** A path as C wants it. A NUL byte inside would cut it short, so it is refused. */
export function cString(path: Uint8Array, syscall: string): Buffer {
  if (path.includes(0)) throw systemError(22, syscall);
  const copy = Buffer.allocUnsafe(path.length + 1);
  copy.set(path);
  copy[path.length] = 0;
  return copy;
}

/** The result of a call, or the error that it ended with. */
export function checked(koffi: Koffi, result: number, syscall: string): number {
  if (result < 0) throw systemError(koffi.errno(), syscall);
  return result;
}
