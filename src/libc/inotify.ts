import { type Bound, checked, lazily, needed } from './bind.js';
import { type EventSource, readEvents } from './event-source.js';

/** Bits of inotify(7): what a watch asks for, and what an event says. */
export const IN = {
  ACCESS: 0x1,
  MODIFY: 0x2,
  ATTRIB: 0x4,
  CLOSE_WRITE: 0x8,
  CLOSE_NOWRITE: 0x10,
  OPEN: 0x20,
  MOVED_FROM: 0x40,
  MOVED_TO: 0x80,
  CREATE: 0x100,
  DELETE: 0x200,
  DELETE_SELF: 0x400,
  MOVE_SELF: 0x800,
  UNMOUNT: 0x2000,
  Q_OVERFLOW: 0x4000,
  IGNORED: 0x8000,
  ONLYDIR: 0x1000000,
  DONT_FOLLOW: 0x2000000,
  EXCL_UNLINK: 0x4000000,
  ISDIR: 0x40000000,
  ALL_EVENTS: 0xfff,
} as const;

/** Bytes: some thousand events. */
const BUFFER_SIZE = 1 << 18;
const IN_NONBLOCK = 0o4000;
const IN_CLOEXEC = 0o2000000;

const functions = lazily({
  inotify_init1: 'int inotify_init1(int flags)',
  inotify_add_watch: 'int inotify_add_watch(int fd, void *path, unsigned int mask)',
  inotify_rm_watch: 'int inotify_rm_watch(int fd, int wd)',
});

type Functions = Bound<'inotify_init1' | 'inotify_add_watch' | 'inotify_rm_watch'>;

/**
 * One event: the watch, its bits, the number that both halves of a move share, and the name below the watched
 * directory ('' when the event is about the watched thing itself).
 */
export type OnEvent = (wd: number, mask: number, cookie: number, name: string) => void;

/** True when inotify can be reached. */
export function hasInotify(): boolean {
  return functions() !== null;
}

/** An inotify instance. Events are handed over in the order of the kernel's queue, `onBatch` after each reading. */
export class Inotify {
  readonly #c: Functions;
  readonly #source: EventSource;
  #closed = false;

  /** Throws EMFILE when the user has `max_user_instances` of them. */
  constructor(
    private readonly onEvent: OnEvent,
    private readonly onBatch?: () => void,
  ) {
    this.#c = needed(functions(), 'inotify');
    const fd = checked(this.#c.koffi, this.#c.inotify_init1(IN_NONBLOCK | IN_CLOEXEC), 'inotify_init1');
    this.#source = readEvents(fd, BUFFER_SIZE, (buffer, length) => this.#decode(buffer, length));
  }

  /** Watches a path (ends with a NUL byte). Returns the number of the watch, or a negative errno. */
  add(path: Uint8Array, mask: number): number {
    const wd = this.#c.inotify_add_watch(this.#source.fd, path, mask);
    return wd >= 0 ? wd : -this.#c.koffi.errno();
  }

  /** Ends a watch; one that has ended by itself is no error. */
  remove(wd: number): void {
    this.#c.inotify_rm_watch(this.#source.fd, wd);
  }

  close(): void {
    this.#closed = true;
    this.#source.close();
  }

  /** struct inotify_event: watch, mask, cookie, length of the name with its padding, name. */
  #decode(buffer: Buffer, length: number): void {
    for (let at = 0; at + 16 <= length && !this.#closed; ) {
      const room = buffer.readUInt32LE(at + 12);
      const start = at + 16;
      let name = '';
      if (room > 0) {
        const end = buffer.indexOf(0, start);
        name = buffer.toString('latin1', start, end < 0 || end > start + room ? start + room : end);
      }
      this.onEvent(buffer.readInt32LE(at), buffer.readUInt32LE(at + 4), buffer.readUInt32LE(at + 8), name);
      at = start + room;
    }
    if (!this.#closed) this.onBatch?.();
  }
}
