import { Random } from './random.js';

/** One way to cut a byte sequence into chunks; `name` is for the test's message. */
export interface Cut {
  name: string;
  chunks: Buffer[];
}

/** Whole, byte by byte, and at `seeds.length` random places: a decoder must see the same in all of them. */
export function cuts(bytes: Buffer, seeds: readonly number[] = [1, 2, 3]): Cut[] {
  const all: Cut[] = [{ name: 'whole', chunks: [bytes] }];
  all.push({ name: 'byte by byte', chunks: Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)) });
  for (const seed of seeds) all.push({ name: `random cut ${seed}`, chunks: randomCut(bytes, seed) });
  return all;
}

function randomCut(bytes: Buffer, seed: number): Buffer[] {
  const random = new Random(seed);
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.int(random.chance(70) ? 9 : 1500);
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

/** Gives `decode` the bytes in every cut and returns what came out, by name of the cut. */
export function splits<T>(bytes: Buffer, decode: (chunks: Buffer[]) => T, seeds?: readonly number[]): Map<string, T> {
  const results = new Map<string, T>();
  for (const cut of cuts(bytes, seeds)) results.set(cut.name, decode(cut.chunks));
  return results;
}
