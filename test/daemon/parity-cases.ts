/*
 * What a daemon is asked, and how it is set up, in cases that both programs have to answer alike. In all texts DIR is the case's
 * folder, URL the daemon's address and MOD the module that stands in front; DIR/m is the tree that modules serve. DIR/hook is a
 * program for hooks: it writes its first argument, who it is and what it sees to DIR/told/hooks, and exits with the second.
 */

/** A module by its parameters, and the clients that come to it: options and arguments. */
export type Visit = readonly [params: string, ...args: string[]];

/** Text that is no rsync client: each is sent on a connection of its own. */
export interface ParityCase {
  name: string;
  globals?: string;
  /** All modules are writable. */
  visits?: readonly Visit[];
  texts?: readonly string[];
  /** Clients start the daemon themselves, through a remote shell; URL is then "host:". */
  onStdio?: boolean;
  /** More words for the daemon. */
  args?: readonly string[];
  /** A file of DIR that is told of at the end. */
  file?: string;
  needsRoot?: boolean;
}

const HELLO = '@RSYNCD: 32.0 sha512 sha256 sha1 md5 md4\n#list\n';
const FILE = ['-nai', 'URL/MOD/a.txt', 'new'] as const;
const FILE_OF = (params: string): Visit => [params, ...FILE];

const HOSTS = [
  ...[
    '127.0.0.1',
    '127.0.0.0/8',
    '127.0.0.0/255.0.0.0',
    '127.0.0',
    '127.1',
    '127.0.1',
    '2130706433',
    '0177.1',
    '127.256',
  ],
  ...[
    '127.0.0.08',
    '127.0.65535',
    '127.16777216',
    '127/8',
    '0/0',
    '127.1/32',
    '127.0.0.0/255.0',
    '127.0.0.1/ 8',
    '1.2.3.4.5',
  ],
  ...[
    '127.0.0.1/08',
    '127.0.0.0/',
    '127.0.0.1/33',
    '127.0.0.1/x',
    '::ffff:127.0.0.1',
    '::/0',
    '.',
    '300.1.1.1/8',
    'UNDET*',
  ],
];

const REFUSED: readonly Visit[] = [
  ['refuse options = checksum-choice', '--cc=md5', 'URL/MOD/a.txt', 'new'],
  ['refuse options = checksum-choice', '--cc=xxh64', 'DIR/m/a.txt', 'URL/MOD/'],
  ['refuse options = delete', '-r', '--delete', '--cc=md5', 'DIR/m/', 'URL/MOD/sub/'],
  ['refuse options = c', '-c', '--zc=lz4', 'URL/MOD/a.txt', 'new'],
  ['refuse options = s', '-s', 'URL/MOD/a.txt', 'new'],
  ['refuse options = c', '-sc', 'URL/MOD/a.txt', 'new'],
  ['refuse options = c', '-c', '--files-from=DIR/list', 'DIR/m/', 'URL/MOD/'],
  ['refuse options = nosuch !neither c', '-c', 'URL/MOD/a.txt', 'new'],
];

const IN_ROOT = 'use chroot = yes';
const IN_PART = 'path = DIR/./m\nuse chroot = yes';
const PUSH = ['-ai', 'DIR/m/b.bin'] as const;

/** Directories that options name and that are not there, or none. */
const NAMED: readonly Visit[] = [
  ...[
    '--link-dest=/zz',
    '--link-dest=zz',
    '--link-dest=../../zz',
    '--link-dest=/a.txt',
    '--temp-dir=/new/zz',
    '--temp-dir=../zz/y',
    '--temp-dir=/a.txt',
    '--backup-dir=/a.txt',
  ].map((option) => ['', '-ab', option, 'DIR/m/a.txt', 'URL/MOD/new/'] as const),
  [IN_ROOT, '-a', '--link-dest=/zz', '--link-dest=zz', '--temp-dir=/zz', 'DIR/m/a.txt', 'URL/MOD/new/'],
  [IN_PART, '-a', '--link-dest=/zz', '--link-dest=../zz', '--temp-dir=/zz', 'DIR/m/a.txt', 'URL/MOD/new/'],
  ['', '-a', '--files-from=:/none', 'URL/MOD/', 'new'],
  ['', '-a', '--files-from=:none', 'URL/MOD/sub', 'new'],
  ['exclude = a.txt', '-a', '--files-from=:a.txt', 'URL/MOD/', 'new'],
  [IN_ROOT, '-a', '--files-from=:/none', 'URL/MOD/', 'new'],
  [IN_PART, '-a', '--files-from=:/none', 'URL/MOD/', 'new'],
];

/** Destinations that cannot be entered. */
const DESTINATIONS: readonly Visit[] = [
  ['', ...PUSH, 'URL/MOD/evil/'],
  ['', ...PUSH, 'URL/MOD/evil'],
  ['', ...PUSH, 'URL/MOD/evil/x'],
  ['', ...PUSH, 'URL/MOD/nowhere/'],
  ['', ...PUSH, 'URL/MOD/a.txt/'],
  ['', ...PUSH, 'URL/MOD/a.txt/x'],
  ['', ...PUSH, 'URL/MOD/no/such'],
  ['', ...PUSH, 'URL/MOD/no/such/'],
  ['uid = nobody\ngid = nogroup', ...PUSH, 'URL/MOD/private/'],
  ['uid = nobody\ngid = nogroup', ...PUSH, 'URL/MOD/private/x/'],
  [IN_ROOT, ...PUSH, 'URL/MOD/no/such/'],
  [IN_ROOT, ...PUSH, 'URL/MOD/a.txt/'],
  [IN_PART, ...PUSH, 'URL/MOD/no/such/'],
  [IN_PART, ...PUSH, 'URL/MOD/a.txt/x'],
];

function version2(command: number, family: number, body: string): string {
  const length = Buffer.from(body, 'hex').length.toString(16).padStart(4, '0');
  const head = `0d0a0d0a000d0a515549540a2${command}${family.toString(16).padStart(2, '0')}${length}`;
  return Buffer.from(head + body, 'hex').toString('latin1') + HELLO;
}

const PROXIED = `PROXY TCP4 1.2.3.4 127.0.0.1 1000 873\r\n${HELLO}`;
const V4 = '010203047f00000112340369';
const V6 = `20010db8${'1'.padStart(24, '0')}${'1'.padStart(32, '0')}01020304`;

function proxy(hosts: string, texts: string[], reverse = 'no'): ParityCase {
  const list = hosts === '' ? '' : `proxy protocol hosts = ${hosts}\n`;
  return {
    name: `proxy ${hosts}, ${reverse}`,
    globals: `proxy protocol = yes\nreverse lookup = ${reverse}\n${list}`,
    texts,
  };
}

const NOBODY = 'daemon uid = nobody\ndaemon gid = nogroup\nuid =\ngid =\n';
const HOOKS = 'early exec = DIR/hook early\npre-xfer exec = DIR/hook pre\npost-xfer exec = DIR/hook post';
const hooked = (...options: string[]): Visit => [HOOKS, '-ai', ...options, 'URL/MOD/a.txt', 'new'];

export const PARITY: readonly ParityCase[] = [
  { name: 'hosts allow', visits: HOSTS.map((item) => [`hosts allow = ${item}`, ...FILE] as const) },
  { name: 'refuse options', visits: REFUSED },
  { name: 'directories of options', visits: NAMED, needsRoot: true },
  { name: 'destinations', visits: DESTINATIONS, needsRoot: true },
  {
    name: 'hooks of a daemon with a user of its own',
    globals: NOBODY,
    visits: [
      hooked('--early-input=DIR/list'),
      [`${HOOKS} 3`.replace('hook pre', 'hook pre 3'), '-ai', 'URL/MOD/a.txt', 'new'],
      [`${HOOKS} 5`, '-ai', 'URL/MOD/none', 'new'],
    ],
    file: 'told/hooks',
    needsRoot: true,
  },
  {
    name: 'remote shell',
    onStdio: true,
    visits: [hooked(), ['', '-r', 'URL/MOD/sub/', 'more'], ['', 'URL/']],
    file: 'told/hooks',
  },
  {
    name: 'remote shell, a user of its own',
    globals: NOBODY,
    onStdio: true,
    visits: [hooked(), ['', '-r', 'URL/MOD/sub/', 'more'], ['', 'URL/'], ['', '-r', 'URL/nosuch/', 'more']],
    file: 'told/hooks',
    needsRoot: true,
  },
  {
    name: '--log-file, and logs of modules',
    args: ['--log-file=DIR/told/log'],
    visits: [FILE_OF(''), FILE_OF('log file = DIR/told/own')],
    file: 'told/log',
  },
  proxy('', [HELLO, PROXIED]),
  proxy('10.0.0.1', [PROXIED]),
  proxy('localhost', [PROXIED], 'yes'),
  proxy('*', [PROXIED]),
  proxy('127.0.0.1', [
    HELLO,
    PROXIED,
    PROXIED.replace('\r', ''),
    `PROXY UNKNOWN\r\n${HELLO}`,
    `PROXY TCP4 1.2.3.4 127.0.0.1 0 873\r\n${HELLO}`,
    `PROXY ${'x'.repeat(200)}\r\n${HELLO}`,
    version2(1, 0x11, V4),
    version2(1, 0x21, V6),
    version2(0, 0, ''),
    version2(2, 0x11, V4),
    version2(1, 0x11, V4.slice(2)),
  ]),
];
