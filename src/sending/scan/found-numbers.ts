import { type Acl, condense } from '../../../protocol/attributes/acl.js';
import type { FileList } from '../../../protocol/flist/list.js';
import type { ListKernel } from '../../../protocol/kernel/list-kernel.js';
import type { Options } from '../../../protocol/options.js';
import { FOUND_NONE, type Found, type FoundAttributes } from '../../files/found-attributes.js';
import type { FurtherTaker } from '../../libc/directory.js';

/** What was found at a file, by its numbers in the tables of the list. */
interface Numbers {
  /** The access list under this mode. */
  mode: number;
  acl: number;
  xattrs: number;
}

/** Found attributes whose numbers are remembered, at most. */
const MOST = 2000;

/** Takes access lists and extended attributes of files into the runs of a sender's list. */
export class FoundNumbers implements FurtherTaker {
  private readonly numbers = new Map<Found, Numbers>();
  private last: Found = FOUND_NONE;
  private lastNumbers: Numbers;

  constructor(
    private readonly list: FileList,
    private readonly options: Options,
    private readonly found: FoundAttributes,
  ) {
    this.lastNumbers = this.numbersOf(FOUND_NONE);
  }

  /** Goes to a directory, whose path has a slash at its end. */
  enter(path: Uint8Array): void {
    this.found.enter(path);
  }

  take(kernel: ListKernel, i: number, dir: number, name: number): boolean {
    const found = this.found.look(dir, name);
    if (found === null) return false;
    if (found !== this.last) {
      this.last = found;
      this.lastNumbers = this.numbers.get(found) ?? this.numbersOf(found);
    }
    const { lastNumbers: numbers } = this;
    if (this.options.acls) {
      const mode = kernel.modes[i];
      if (numbers.mode !== mode && found !== FOUND_NONE) {
        numbers.mode = mode;
        numbers.acl = this.aclOf(found.acl, mode);
      }
      kernel.hasAcls = true;
      kernel.acls[i] = numbers.acl;
    }
    if (this.options.xattrs > 0) {
      kernel.hasXattrs = true;
      kernel.xattrs[i] = numbers.xattrs;
    }
    return true;
  }

  private numbersOf(found: Found): Numbers {
    const { list, options, numbers } = this;
    const xattrs = options.xattrs > 0 ? list.xattrTable.intern(found.xattrs) : 0;
    const entry = { mode: 0, acl: options.acls ? this.aclOf(found.acl, 0) : 0, xattrs };
    if (numbers.size >= MOST) numbers.clear();
    numbers.set(found, entry);
    return entry;
  }

  private aclOf(acl: Acl, mode: number): number {
    return this.list.aclTable.intern(condense(acl, mode));
  }
}
