import type { ByteString } from '../../protocol/options.js';
import { FileStat, statInto } from '../files/stat.js';

/** Remembers which directory a root is. */
export class RootIdentity {
  readonly #path: Buffer;
  readonly #first = new FileStat();
  readonly #now = new FileStat();
  #lost = false;

  constructor(root: ByteString) {
    this.#path = Buffer.from(root, 'latin1');
    statInto(this.#path, this.#first);
  }

  /** The directory is known to be gone: one that has its number now would be another. */
  lose(): void {
    this.#lost = true;
  }

  isSame(): boolean {
    if (this.#lost || statInto(this.#path, this.#now) !== 0) return false;
    return this.#now.dev === this.#first.dev && this.#now.ino === this.#first.ino && this.#now.isDir;
  }
}
