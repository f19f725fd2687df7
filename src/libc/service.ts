import { closeSync } from 'node:fs';
import { checked, lazily, needed } from './bind.js';
import { Errno, errnoOf, systemError } from './errno.js';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** Bytes of sun_path. */
const LONGEST = 108;

const functions = lazily({
  socket: 'int socket(int domain, int type, int protocol)',
  connect: 'int connect(int fd, void *address, unsigned int length)',
  send: 'int64_t send(int fd, void *data, size_t size, int flags)',
});

/** struct sockaddr_un of a path, or of an abstract name, which is written with '@' for its NUL byte. */
function unixAddress(name: string): Buffer {
  const path = Buffer.from(name);
  const isAbstract = path[0] === 0x40;
  if (path.length + (isAbstract ? 0 : 1) > LONGEST) throw systemError(Errno.ENAMETOOLONG, 'connect');
  if (isAbstract) path[0] = 0;
  const address = Buffer.alloc(2 + path.length + (isAbstract ? 0 : 1));
  // sa_family_t is in the order of the machine, and koffi runs on little ones only.
  address.writeUInt16LE(AF_UNIX, 0);
  path.copy(address, 2);
  return address;
}

/** Datagrams to a Unix socket. */
export class Datagrams {
  private readonly c = needed(functions(), 'datagrams on Unix sockets');
  private readonly address: Buffer;
  private fd: number;

  /**
   * `name`: a path, or '@' and an abstract name. `patient`: a full queue at the other end is waited for; else it is an error
   * (EAGAIN). Throws a system error, also when nobody listens there.
   */
  constructor(
    name: string,
    private readonly patient: boolean,
  ) {
    this.address = unixAddress(name);
    this.fd = this.connect();
  }

  private connect(): number {
    const { c, address, patient } = this;
    const kind = SOCK_DGRAM | SOCK_CLOEXEC | (patient ? 0 : SOCK_NONBLOCK);
    const fd = checked(c.koffi, c.socket(AF_UNIX, kind, 0), 'socket');
    try {
      checked(c.koffi, c.connect(fd, address, address.length), 'connect');
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    return fd;
  }

  /** Sends one; where the listener is another one by now, to that. Throws a system error. */
  send(data: Buffer): void {
    try {
      this.sendOnce(data);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== Errno.ECONNREFUSED && errno !== Errno.ENOTCONN) throw error;
      const fresh = this.connect();
      this.close();
      this.fd = fresh;
      this.sendOnce(data);
    }
  }

  private sendOnce(data: Buffer): void {
    const { c } = this;
    checked(c.koffi, Number(c.send(this.fd, data, data.length, 0)), 'send');
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}

/**
 * Tells the service manager how the service is, as sd_notify(3) does: 'READY=1', 'STOPPING=1', 'STATUS=text', several
 * separated by newlines. Returns false when there is no manager that wants to know (no NOTIFY_SOCKET). Throws when it
 * cannot be told.
 */
export function notifyService(state: string, socket = process.env.NOTIFY_SOCKET): boolean {
  if (socket === undefined || !/^[/@]/.test(socket)) return false;
  const datagrams = new Datagrams(socket, true);
  try {
    datagrams.send(Buffer.from(state));
  } finally {
    datagrams.close();
  }
  return true;
}
