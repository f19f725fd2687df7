/**
 * A seeded generator of numbers (mulberry32): the same seed gives the same tree, cut or mutation on every machine, so a
 * failing case can be run again from the seed that its test prints.
 */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** An unsigned 32-bit number. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return (z ^ (z >>> 14)) >>> 0;
  }

  /** A whole number from 0 to `limit - 1`. */
  int(limit: number): number {
    return this.next() % limit;
  }

  /** True in `percent` of a hundred cases. */
  chance(percent: number): boolean {
    return this.int(100) < percent;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)];
  }

  /** `length` bytes; with `text` they are words and lines that compress like a source file. */
  bytes(length: number, text = false): Buffer {
    const out = Buffer.allocUnsafe(length);
    if (text) {
      fillText(this, out);
      return out;
    }
    let at = 0;
    for (; at + 4 <= length; at += 4) out.writeUInt32LE(this.next(), at);
    for (; at < length; at++) out[at] = this.next() & 0xff;
    return out;
  }
}

const WORDS = ['import', 'const', 'return', 'function', 'x', 'y', 'name', 'value', '=', '{', '}', '(', ')', '\n', ' '];

function fillText(random: Random, out: Buffer): void {
  let at = 0;
  while (at < out.length) {
    at += out.write(`${random.pick(WORDS)} `, at, 'latin1');
  }
}
