import { closeSync, constants, fstatSync, readlinkSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { type Bound, checked, cString, lazily, needed } from './bind.js';
import { type EventSource, readEvents } from './event-source.js';

/** Bits of fanotify(7). */
export const FAN = {
  MODIFY: 0x2,
  ATTRIB: 0x4,
  CLOSE_WRITE: 0x8,
  CREATE: 0x100,
  DELETE: 0x200,
  Q_OVERFLOW: 0x4000,
  RENAME: 0x10000000,
  ONDIR: 0x40000000,
} as const;

const FAN_CLOEXEC = 0x1;
const FAN_NONBLOCK = 0x2;
const FAN_REPORT_DIR_FID = 0x400;
const FAN_REPORT_NAME = 0x800;
const FAN_MARK_ADD = 0x1;
const FAN_MARK_FILESYSTEM = 0x100;
const AT_FDCWD = -100;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;

/** struct fanotify_event_metadata: length (4 bytes), version, padding, its own length (2), mask (8), descriptor, process. */
const METADATA = { length: 0, own: 6, mask: 8, pid: 20, size: 24 } as const;
/** Kinds of records behind it: the directory and name of an entry, and those before and after a rename. */
const INFO = { DFID_NAME: 2, DFID: 3, OLD_DFID_NAME: 10, NEW_DFID_NAME: 12 } as const;
/** struct fanotify_event_info_fid: kind (1 byte), padding, length (2), file system (8), struct file_handle. */
const RECORD = { length: 2, fsid: 4, handle: 12, bytes: 20 } as const;

const BUFFER_SIZE = 1 << 18;

const functions = lazily({
  fanotify_init: 'int fanotify_init(unsigned int flags, unsigned int eventFlags)',
  fanotify_mark: 'int fanotify_mark(int fd, unsigned int flags, uint64_t mask, int dir, void *path)',
  open_by_handle_at: 'int open_by_handle_at(int mount, void *handle, int flags)',
  open: 'int open(void *path, int flags)',
  statfs: 'int statfs(void *path, void *out)',
});

type Functions = Bound<'fanotify_init' | 'fanotify_mark' | 'open_by_handle_at' | 'open' | 'statfs'>;

/** An entry by its directory, which is named by file system and handle as the kernel wrote them (a byte string). */
export interface FanEntry {
  directory: ByteString;
  name: ByteString;
}

/** One event, with the process that caused it. For a rename `entry` is where it came from and `to` where it went. */
export type OnFanEvent = (mask: number, entry: FanEntry | null, to: FanEntry | null, pid: number) => void;

/** A fanotify group that is told of everything on whole file systems. Needs root's rights and Linux 5.17. */
export class Fanotify {
  readonly #c: Functions;
  readonly #source: EventSource;
  /** Open directories on each file system, by the file system as events name it: handles are looked up from there. */
  readonly #mounts = new Map<ByteString, number[]>();
  #closed = false;

  /** Throws a system error: EPERM without the rights, EINVAL when the kernel is too old. */
  constructor(private readonly onEvent: OnFanEvent) {
    this.#c = needed(functions(), 'fanotify');
    const flags = FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DIR_FID | FAN_REPORT_NAME;
    const fd = checked(this.#c.koffi, this.#c.fanotify_init(flags, constants.O_RDONLY), 'fanotify_init');
    this.#source = readEvents(fd, BUFFER_SIZE, (buffer, length) => this.#decode(buffer, length));
  }

  /** Marks the file system that a directory is on. Throws a system error. */
  mark(path: ByteString, mask: number): void {
    const cpath = cString(Buffer.from(path, 'latin1'), 'fanotify_mark');
    const fd = checked(this.#c.koffi, this.#c.open(cpath, constants.O_DIRECTORY | O_CLOEXEC), 'open');
    const fsid = this.#fileSystem(cpath);
    this.#mounts.set(fsid, [...(this.#mounts.get(fsid) ?? []), fd]);
    const flags = FAN_MARK_ADD | FAN_MARK_FILESYSTEM;
    checked(
      this.#c.koffi,
      this.#c.fanotify_mark(this.#source.fd, flags, BigInt(mask), AT_FDCWD, cpath),
      'fanotify_mark',
    );
  }

  /** Where a directory is now (absolute); null when it is gone. */
  pathOf(directory: ByteString): ByteString | null {
    const handle = Buffer.from(directory.slice(8), 'latin1');
    for (const mount of this.#mounts.get(directory.slice(0, 8)) ?? []) {
      const fd = this.#c.open_by_handle_at(mount, handle, O_PATH | O_CLOEXEC);
      if (fd < 0) continue;
      try {
        const path = readlinkSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' });
        // That may also be part of a name.
        return path.endsWith(' (deleted)') && fstatSync(fd).nlink === 0 ? null : path;
      } finally {
        closeSync(fd);
      }
    }
    return null;
  }

  close(): void {
    this.#closed = true;
    this.#source.close();
    for (const fd of [...this.#mounts.values()].flat()) closeSync(fd);
    this.#mounts.clear();
  }

  /** f_fsid of struct statfs, which lies behind seven numbers of 8 bytes. */
  #fileSystem(cpath: Buffer): ByteString {
    const out = Buffer.alloc(256);
    checked(this.#c.koffi, this.#c.statfs(cpath, out), 'statfs');
    return out.toString('latin1', 56, 64);
  }

  #decode(buffer: Buffer, length: number): void {
    for (let at = 0; at + METADATA.size <= length && !this.#closed; ) {
      const end = at + buffer.readUInt32LE(at + METADATA.length);
      let entry: FanEntry | null = null;
      let to: FanEntry | null = null;
      for (let info = at + buffer.readUInt16LE(at + METADATA.own); info + RECORD.handle < end; ) {
        const kind = buffer[info];
        const size = buffer.readUInt16LE(info + RECORD.length);
        if (kind === INFO.NEW_DFID_NAME) to = readEntry(buffer, info, size);
        else if (kind === INFO.DFID_NAME || kind === INFO.DFID || kind === INFO.OLD_DFID_NAME) {
          entry = readEntry(buffer, info, size);
        }
        info += size;
      }
      this.onEvent(buffer.readUInt32LE(at + METADATA.mask), entry, to, buffer.readInt32LE(at + METADATA.pid));
      at = end;
    }
  }
}

function readEntry(buffer: Buffer, at: number, size: number): FanEntry {
  const handleEnd = at + RECORD.bytes + buffer.readUInt32LE(at + RECORD.handle);
  const directory = buffer.toString('latin1', at + RECORD.fsid, handleEnd);
  const nul = buffer.indexOf(0, handleEnd);
  const name = handleEnd < at + size && nul >= 0 ? buffer.toString('latin1', handleEnd, Math.min(nul, at + size)) : '';
  return { directory, name: name === '.' ? '' : name };
}
