import { Xmit } from '../constants.js';
import type { ByteString } from '../options.js';
import { EntryFlag } from './list.js';

/*
 * A directory's place in the transfer (7.8): whether it was named, whether what is in it takes part, or whether it is only on
 * the way to something that does.
 */

/** The flags of a directory on the wire. `local`: its EntryFlag bits. */
export function writeDirectoryPlace(local: number, protocol: number): number {
  if (protocol < 30) return local & EntryFlag.TOP_DIR ? Xmit.TOP_DIR : 0;
  if (local & EntryFlag.CONTENT_DIR) return local & EntryFlag.TOP_DIR ? Xmit.TOP_DIR : 0;
  return local & EntryFlag.IMPLIED_DIR ? Xmit.TOP_DIR | Xmit.NO_CONTENT_DIR : Xmit.NO_CONTENT_DIR;
}

/** The mirror of that, from protocol 30 on: the EntryFlag bits of a directory. */
export function readDirectoryPlace(flags: number): number {
  if ((flags & Xmit.NO_CONTENT_DIR) === 0) {
    return flags & Xmit.TOP_DIR ? EntryFlag.TOP_DIR | EntryFlag.CONTENT_DIR : EntryFlag.CONTENT_DIR;
  }
  return flags & Xmit.TOP_DIR ? EntryFlag.IMPLIED_DIR : 0;
}

/** The same below protocol 30, where only named directories are marked, and what follows one and lies below it is its content. */
export class DirectoryPlaces {
  /** The named directory whose content is being read, null outside. */
  private hierarchy: ByteString | null = null;

  constructor(private readonly recurse: boolean) {}

  /** The EntryFlag bits of the next directory of a list. */
  read(flags: number, path: ByteString): number {
    if (flags & Xmit.TOP_DIR) {
      this.hierarchy = this.recurse ? path : null;
      return EntryFlag.TOP_DIR | EntryFlag.CONTENT_DIR;
    }
    const { hierarchy } = this;
    if (hierarchy === null) return 0;
    if (hierarchy === '.' || path.startsWith(`${hierarchy}/`)) return EntryFlag.CONTENT_DIR;
    this.hierarchy = null;
    return 0;
  }
}
