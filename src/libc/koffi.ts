import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The part of koffi that is used here. */
export interface Koffi {
  version: string;
  /** `deep`: the library's own calls stay in it, where the program has functions of the same names. */
  load(path: string | null, options?: { deep: boolean }): KoffiLibrary;
  errno(): number;
  address(buffer: ArrayBufferView): number | bigint;
  /** A structure without a name, of members in this order. */
  struct(members: Record<string, string>): object;
}

/** A loaded shared library: C prototypes become functions. */
export interface KoffiLibrary {
  func(prototype: string): KoffiFunction;
  /** For what no prototype can name: structures that are given, or returned, by value. */
  func(name: string, result: string | object, args: readonly (string | object)[]): unknown;
}

export type KoffiFunction = (...args: unknown[]) => number;

/** undefined: not tried yet. */
let koffi: Koffi | null | undefined;
/** The build that was loaded, '' when it is not known which. */
let build = '';

/** Where the loaded build is: another thread can load it from there, even when the root directory has changed since. */
export function koffiBuild(): string {
  return build;
}

/** Takes the build that another thread of this process has loaded. */
export function loadKoffiFrom(path: string): void {
  koffi = loadFile(path);
}

/**
 * koffi, loaded at the first call; null when it is not installed or has no build for this machine. It is an optional
 * dependency, so nothing may import it statically.
 */
export function loadKoffi(): Koffi | null {
  if (koffi === undefined) {
    // In a CommonJS bundle there is no import.meta; __filename stands for it there.
    const load = createRequire(typeof __filename === 'string' ? __filename : import.meta.url);
    koffi = loadBuild(load) ?? loadPackage(load);
  }
  return koffi;
}

/**
 * The build for this machine by itself, without the scripts that find it and add what is out of date: 2 ms instead of
 * 14 ms. Anything unexpected is left to those scripts.
 */
function loadBuild(load: NodeJS.Require): Koffi | null {
  const { platform, arch } = process;
  try {
    const scripts = load.resolve(`@koromix/koffi-${platform}-${arch}`);
    const path = join(dirname(scripts), `${platform}_${arch}`, 'koffi.node');
    const loaded = loadFile(path);
    if (!loaded.version.startsWith('3.')) return null;
    build = path;
    return loaded;
  } catch {
    return null;
  }
}

function loadFile(path: string): Koffi {
  const module = { exports: {} as Koffi };
  process.dlopen(module, path);
  return module.exports;
}

function loadPackage(load: NodeJS.Require): Koffi | null {
  try {
    return load('koffi') as Koffi;
  } catch {
    return null;
  }
}
