import { setSocketOption } from '../libc/tcp.js';

/** An option of --sockopts. */
export interface SocketOption {
  name: string;
  level: number;
  number: number;
  value: number;
}

const SOL_SOCKET = 1;
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IP_TOS = 1;

/** Levels and numbers of Linux; `fixed` stands for the value of a name that takes none. */
const KNOWN: Readonly<Record<string, { level: number; number: number; fixed?: number }>> = {
  SO_KEEPALIVE: { level: SOL_SOCKET, number: 9 },
  SO_REUSEADDR: { level: SOL_SOCKET, number: 2 },
  SO_BROADCAST: { level: SOL_SOCKET, number: 6 },
  SO_SNDBUF: { level: SOL_SOCKET, number: 7 },
  SO_RCVBUF: { level: SOL_SOCKET, number: 8 },
  SO_RCVLOWAT: { level: SOL_SOCKET, number: 18 },
  SO_SNDLOWAT: { level: SOL_SOCKET, number: 19 },
  SO_RCVTIMEO: { level: SOL_SOCKET, number: 20 },
  SO_SNDTIMEO: { level: SOL_SOCKET, number: 21 },
  TCP_NODELAY: { level: IPPROTO_TCP, number: 1 },
  IPTOS_LOWDELAY: { level: IPPROTO_IP, number: IP_TOS, fixed: 0x10 },
  IPTOS_THROUGHPUT: { level: IPPROTO_IP, number: IP_TOS, fixed: 0x08 },
};

/** Reads a list of NAME or NAME=VALUE words; without a value an option is on. What is wrong with a word, `tell` hears. */
export function parseSocketOptions(text: string, tell: (complaint: string) => void): SocketOption[] {
  const options: SocketOption[] = [];
  for (const word of text.split(/[ \t,]+/)) {
    if (word === '') continue;
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    if (!Object.hasOwn(KNOWN, name)) {
      tell(`Unknown socket option ${name}\n`);
      continue;
    }
    const { level, number, fixed } = KNOWN[name];
    if (fixed !== undefined && equals >= 0) tell(`syntax error -- ${name} does not take a value\n`);
    const value = equals < 0 ? 1 : Number.parseInt(word.slice(equals + 1), 10) || 0;
    options.push({ name, level, number, value: fixed ?? value });
  }
  return options;
}

/** Sets them on a socket. Those that it does not take are left out: `tell` hears of them. */
export function applySocketOptions(fd: number, options: readonly SocketOption[], tell: (name: string) => void): void {
  for (const { name, level, number, value } of options) if (!setSocketOption(fd, level, number, value)) tell(name);
}
