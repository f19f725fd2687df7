import { closeSync } from 'node:fs';
import { checked, lazily, needed } from './bind.js';
import { Errno, systemError } from './errno.js';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
/** Bytes of sun_path. */
const LONGEST = 108;

const functions = lazily({
  socket: 'int socket(int domain, int type, int protocol)',
  sendto: 'int64_t sendto(int fd, void *data, size_t size, int flags, void *address, unsigned int length)',
});

/** struct sockaddr_un of a path, or of an abstract name, which is written with '@' for its NUL byte. */
function unixAddress(name: string): Buffer {
  const path = Buffer.from(name);
  const isAbstract = path[0] === 0x40;
  if (path.length + (isAbstract ? 0 : 1) > LONGEST) throw systemError(Errno.ENAMETOOLONG, 'sendto');
  if (isAbstract) path[0] = 0;
  const address = Buffer.alloc(2 + path.length + (isAbstract ? 0 : 1));
  // sa_family_t is in the order of the machine, and koffi runs on little ones only.
  address.writeUInt16LE(AF_UNIX, 0);
  path.copy(address, 2);
  return address;
}

/** Sends one datagram to a Unix socket; `name` is a path, or '@' and an abstract name. Throws a system error. */
export function sendDatagram(name: string, text: string): void {
  const c = needed(functions(), 'datagrams on Unix sockets');
  const address = unixAddress(name);
  const data = Buffer.from(text);
  const fd = checked(c.koffi, c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket');
  try {
    checked(c.koffi, Number(c.sendto(fd, data, data.length, 0, address, address.length)), 'sendto');
  } finally {
    closeSync(fd);
  }
}

/**
 * Tells the service manager how the service is, as sd_notify(3) does: 'READY=1', 'STOPPING=1', 'STATUS=text', several
 * separated by newlines. Returns false when there is no manager that wants to know (no NOTIFY_SOCKET). Throws when it
 * cannot be told.
 */
export function notifyService(state: string, socket = process.env.NOTIFY_SOCKET): boolean {
  if (socket === undefined || !/^[/@]/.test(socket)) return false;
  sendDatagram(socket, state);
  return true;
}
