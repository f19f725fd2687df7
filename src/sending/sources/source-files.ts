import type { FileList } from '../../../protocol/flist/list.js';
import type { ByteString } from '../../../protocol/options.js';
import { checkName, type Dir } from '../../files/dir.js';
import { Errno, errnoOf, systemError } from '../../libc/errno.js';
import { openFile } from '../../libc/files.js';
import { libcLoaded } from '../../libc/libc.js';
import { RawPlace } from '../../libc/place.js';
import type { SourceBase } from '../scan/base.js';
import type { Scanner } from '../scan/scan.js';

/** Opens listed files. Those of one directory follow each other, so it is held, and no path is put together and walked. */
export class SourceFiles {
  private place: RawPlace | null = null;
  private base: SourceBase | null = null;
  private dirPath: ByteString = '';
  /** The directory in a confined tree, and its descriptor, which the tree may close. */
  private dir: Dir | null = null;
  private dirFd = -1;

  constructor(
    private readonly list: FileList,
    private readonly scanner: Scanner,
  ) {}

  /** The open file of a row. Throws an errno error. */
  open(row: number): number {
    const { list, scanner } = this;
    const flags = scanner.openFlags(row);
    if (!libcLoaded() || scanner.mayFollow) return openFile(scanner.sourcePath(row), flags);
    this.place ??= new RawPlace();
    const from = list.offsetOf(row);
    const to = from + list.lengthOf(row);
    // What is wrong with the directory shows once more on the long way.
    if (!this.goesTo(this.place, row)) return openFile(scanner.sourcePath(row), flags);
    if (this.dir !== null) checkName(list.arenaOf(row), from, to);
    const fd = this.place.openFile(list.arenaOf(row), from, to, flags);
    if (fd < 0) throw systemError(-fd, 'open');
    return fd;
  }

  /** The descriptor of a row's directory, to open files in until the next call; -1 when there is none. */
  heldDirectory(row: number): number {
    if (!libcLoaded() || this.scanner.mayFollow) return -1;
    this.place ??= new RawPlace();
    return this.goesTo(this.place, row) && this.place.isHeld ? this.place.fd : -1;
  }

  /** The directory lies in a confined tree: names in it are to be checked. */
  get isConfined(): boolean {
    return this.dir !== null;
  }

  /** Goes to the directory of a row; false when it cannot be reached. */
  private goesTo(place: RawPlace, row: number): boolean {
    const base = this.scanner.baseOf(row);
    const path = this.list.dirPath(row);
    if (base === this.base && path === this.dirPath && (this.dir === null || this.dir.fd === this.dirFd)) return true;
    this.base = null;
    try {
      this.enter(place, base, path);
    } catch (error) {
      if (errnoOf(error) === Errno.EMFILE) throw error;
      return false;
    }
    this.base = base;
    this.dirPath = path;
    return true;
  }

  private enter(place: RawPlace, base: SourceBase, path: ByteString): void {
    this.dir = base.dirOf(path);
    place.enter(this.dir === null ? base.prefixOf(path) : this.dir.self());
    this.dirFd = this.dir === null ? -1 : this.dir.fd;
  }

  close(): void {
    this.place?.close();
    this.base = null;
  }
}
