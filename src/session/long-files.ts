/** Bytes of a file that is worth memory in which its data is summed where it lies. */
const LONG = 16 * 1024 * 1024;

/** Has something prepared once, before the first long file. */
export class LongFiles {
  constructor(private prepare: (() => void) | null) {}

  /** A file of `size` bytes comes next. */
  expect(size: number): void {
    if (size < LONG) return;
    this.prepare?.();
    this.prepare = null;
  }
}
