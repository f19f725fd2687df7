import { writeSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';

/** Exit code of a program that a closed pipe has ended, as shells show it. */
const BROKEN_PIPE = 141;

/** Writes bytes to a descriptor at once and whole. A reader that went away ends the program. */
export function writeOut(fd: number, text: ByteString): void {
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') process.exit(BROKEN_PIPE);
      // A terminal or pipe that is not ready now.
      if (code !== 'EAGAIN') throw error;
    }
  }
}
