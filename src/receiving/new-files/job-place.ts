import { closeSync, constants } from 'node:fs';
import type { ByteString } from '../../../protocol/options.js';
import { hasDefaultAcl } from '../../files/default-acl.js';
import type { FileThread } from '../../files/thread/file-thread.js';
import { Field, HEAD_BYTES, Kind } from '../../files/thread/queue.js';
import { openFile } from '../../libc/files.js';
import type { Receiving } from '../receiving.js';

/** A directory, without any right to its content. */
const OPEN_DIR = constants.O_DIRECTORY | 0o10000000;

/** Where files are made that are set aside, and whose they are to be: the same for many, so it is looked up once. */
export class JobPlace {
  /** Descriptor of the directory. */
  fd = -1;
  /** User and group; -1 leaves them. */
  uid = -1;
  gid = -1;
  readonly setsTime: boolean;
  /** A new file that has attributes by itself is to lose them (-A, -X). */
  readonly asksFurther: boolean;
  private path: ByteString | null = null;
  /** Owner and group of the last row as its list has them. */
  private owner = -1;
  private group = -1;
  private isOwnerPossible = false;

  constructor(private readonly receiving: Receiving) {
    const { acls, xattrs, times } = receiving.session.options;
    this.setsTime = times;
    this.asksFurther = acls || xattrs > 0;
  }

  /** Goes to the place of a row; false where its file cannot be set aside. */
  enter(thread: FileThread, row: number): boolean {
    const { session, parts } = this.receiving;
    const { list } = session;
    if (list.uid(row) !== this.owner || list.gid(row) !== this.group) this.findOwner(row);
    if (!this.isOwnerPossible) return false;
    const path = list.dirPath(row);
    if (path === this.path) return true;
    if (!this.leave(thread)) return false;
    try {
      const dir = parts.root.dir(path).self();
      // What files get from their directory is taken away before they have their names.
      if (this.asksFurther && hasDefaultAcl(dir)) return false;
      this.fd = openFile(dir, OPEN_DIR);
    } catch {
      // What is wrong with it shows once more where it is told.
      return false;
    }
    this.path = path;
    return true;
  }

  private findOwner(row: number): void {
    const { session, parts } = this.receiving;
    const { list } = session;
    this.owner = list.uid(row);
    this.group = list.gid(row);
    this.isOwnerPossible = parts.attrs.hasPossibleOwner(list, row);
    this.uid = parts.attrs.wantedUid(list, row);
    this.gid = parts.attrs.wantedGid(list, row);
  }

  /** Gives the directory up. The thread closes it once it has made its files; false when there is no room to say so. */
  leave({ jobs, kernel, isReady }: FileThread): boolean {
    if (this.path === null) return true;
    if (!isReady) {
      kernel?.wasm.forget(this.fd);
      this.path = null;
      closeSync(this.fd);
      return true;
    }
    const at = jobs.reserve(HEAD_BYTES);
    if (at < 0) return false;
    jobs.words[at / 4 + Field.LENGTH] = HEAD_BYTES;
    jobs.words[at / 4 + Field.KIND] = Kind.LEAVE;
    jobs.words[at / 4 + Field.DIR] = this.fd;
    jobs.commit(HEAD_BYTES, 0);
    kernel?.wasm.forget(this.fd);
    this.path = null;
    return true;
  }
}
