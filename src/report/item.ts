import { Item, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from '../../protocol/constants.js';
import type { FileList } from '../../protocol/flist/list.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { compileFormat, type Directive, pad, padNumber } from './item-syntax.js';
import { humanNumber } from './numbers.js';
import { dateString, permString, timeString } from './times.js';

/** One item of a run as far as its line needs it. */
export interface ReportItem {
  list: FileList;
  row: number;
  /** Item flags (9.3), the local ones included. */
  iflags: number;
  /** Name that came with the item: the leader of a hard link, or the basis that was used. */
  xname: Buffer | null;
  /** Sender: the directory that the name is relative to, as the user wrote it; for %f. */
  sourcePath?: ByteString;
  /** Sender: bytes sent for this file; receiver: bytes received. For %b. */
  bytesWritten?: number;
  /** Sender: bytes of block sums received for it; receiver: sent. For %c. */
  checksumBytes?: number;
  /** Digest of the transferred file in hex (see `digestHex`), for %C. */
  fileSum?: string;
}

/** What the lines of one run have in common. Values that are not known leave their directive as it was written. */
export interface ItemContext {
  options: Options;
  /** Both ends run on this machine without a connection: there is no `<`. */
  localServer: boolean;
  direction: 'send' | 'recv';
  /** Daemon: name and address of the client, module and its path, user that gave a password ('' for none). */
  host?: string;
  addr?: string;
  module?: ByteString;
  modulePath?: ByteString;
  authUser?: ByteString;
  /** Daemon that receives: the destination below the module; for %f. */
  directory?: ByteString;
  pid: number;
  now(): Date;
  protocol: number;
  isServer: boolean;
  /** False when the receiving side cannot set the times of symlinks (compat flag SYMLINK_TIMES). */
  symlinkTimes?: boolean;
  /** Names of the digests of -c and of transferred files; xxhash ones are shown the other way round. */
  listSum?: string;
  transferSum?: string;
  /** Digest length of transferred files in bytes, 16 when not given: %C leaves that room for items without one. */
  transferSumLength?: number;
}

const NO_CHANGE = '         ';
const DELETING = '*deleting  ';
const XXHASH = /^xxh/;

function typeLetter(mode: number): string {
  switch (mode & S_IFMT) {
    case S_IFLNK:
      return 'L';
    case S_IFDIR:
      return 'd';
    case S_IFREG:
      return 'f';
    case S_IFBLK:
    case S_IFCHR:
      return 'D';
    default:
      return 'S';
  }
}

function updateLetter(iflags: number, ctx: ItemContext): string {
  if (iflags & Item.LOCAL_CHANGE) return iflags & Item.XNAME_FOLLOWS ? 'h' : 'c';
  if (!(iflags & Item.TRANSFER)) return '.';
  return !ctx.localServer && ctx.direction === 'send' ? '<' : '>';
}

function timeLetter(iflags: number, isLink: boolean, ctx: ItemContext): string {
  if (!(iflags & Item.REPORT_TIME)) return '.';
  if (!ctx.options.times) return 'T';
  return isLink && (ctx.symlinkTimes === false || iflags & Item.REPORT_TIMEFAIL) ? 'T' : 't';
}

function accessLetter(iflags: number): string {
  const bits = iflags & (Item.REPORT_ATIME | Item.REPORT_CRTIME);
  if (bits === 0) return '.';
  return bits === Item.REPORT_ATIME ? 'u' : bits === Item.REPORT_CRTIME ? 'n' : 'b';
}

/** The eleven characters of %i (`YXcstpoguax`) of an item. */
export function itemizeFlags(iflags: number, mode: number, ctx: ItemContext): string {
  if (iflags & Item.DELETED) return DELETING;
  const update = updateLetter(iflags, ctx);
  const head = update + typeLetter(mode);
  if (iflags & Item.IS_NEW) return `${head}+++++++++`;
  if (iflags & Item.MISSING_DATA) return `${head}?????????`;
  const isLink = (mode & S_IFMT) === S_IFLNK;
  const attributes =
    (iflags & Item.REPORT_CHANGE ? 'c' : '.') +
    (iflags & Item.REPORT_SIZE && !isLink ? 's' : '.') +
    timeLetter(iflags, isLink, ctx) +
    (iflags & Item.REPORT_PERMS ? 'p' : '.') +
    (iflags & Item.REPORT_OWNER ? 'o' : '.') +
    (iflags & Item.REPORT_GROUP ? 'g' : '.') +
    accessLetter(iflags) +
    (iflags & Item.REPORT_ACL ? 'a' : '.') +
    (iflags & Item.REPORT_XATTR ? 'x' : '.');
  const unchanged = attributes === '.........' && (update === '.' || update === 'h' || update === 'c');
  return head + (unchanged ? NO_CHANGE : attributes);
}

/** A digest as %C shows it. `algorithm` is its wire name: xxhash travels with the low byte first. */
export function digestHex(digest: Uint8Array, algorithm: string | undefined): string {
  const bytes = Buffer.from(digest);
  return (algorithm !== undefined && XXHASH.test(algorithm) ? bytes.reverse() : bytes).toString('hex');
}

/** Joins and tidies a path for %f: no double slashes, no `./` in it, no slash at either end. */
function plainPath(prefix: ByteString, name: ByteString): ByteString {
  const joined = prefix === '' ? name : `${prefix}/${name}`;
  const parts = joined.split('/');
  const last = parts.length - 1;
  return parts.filter((part, i) => part !== '' && (part !== '.' || i === last)).join('/');
}

/** What one directive of a line is about: an item, or only the name and mode of something deleted. */
interface Subject {
  item: ReportItem | null;
  name: ByteString;
  mode: number;
  iflags: number;
}

/** A compiled --out-format or log format. */
export class ItemFormat {
  /** True when %i occurs: unchanged items may have lines too. */
  readonly usesItemize: boolean;
  /** True when %i or %o occurs: deletions are told in this format. */
  readonly tellsDeletions: boolean;
  private readonly parts: readonly (string | Directive)[];

  constructor(
    format: ByteString,
    private readonly ctx: ItemContext,
  ) {
    this.parts = compileFormat(format, (letter) => this.constant(letter));
    const letters = compileFormat(format, () => undefined).map((part) => (typeof part === 'string' ? '' : part.letter));
    this.usesItemize = letters.includes('i');
    this.tellsDeletions = this.usesItemize || letters.includes('o');
  }

  /** The line of an item, with its newline. */
  format(item: ReportItem): ByteString {
    const { list, row, iflags } = item;
    return this.line({ item, name: list.path(row), mode: list.mode(row), iflags });
  }

  /** The line of something deleted, in this format even if it has neither %i nor %o. */
  formatDeletion(name: ByteString, mode: number): ByteString {
    return this.line({ item: null, name, mode, iflags: Item.DELETED });
  }

  private line(subject: Subject): ByteString {
    let line = '';
    for (const part of this.parts) line += typeof part === 'string' ? part : this.value(part, subject);
    return `${line}\n`;
  }

  /** Text of a directive that is the same in every line; undefined for those that are not, null for unknown ones. */
  private constant(letter: string): string | null | undefined {
    const { ctx } = this;
    switch (letter) {
      case 'h':
        return ctx.host ?? null;
      case 'a':
        return ctx.addr ?? null;
      case 'm':
        return ctx.module ?? '';
      case 'P':
        return ctx.modulePath ?? null;
      case 'u':
        return ctx.authUser ?? null;
      case '%':
        return '%';
      default:
        return 'lUGpMBofnLtbcCi'.includes(letter) ? undefined : null;
    }
  }

  private value(d: Directive, s: Subject): ByteString {
    const { ctx } = this;
    const { item } = s;
    switch (d.letter) {
      case 'n':
        return pad((s.mode & S_IFMT) === S_IFDIR ? `${s.name}/` : s.name, d);
      case 'L':
        return this.linkText(d, s);
      case 'i':
        return pad(itemizeFlags(s.iflags, s.mode, ctx), d);
      case 'f':
        return pad(plainPath(item?.sourcePath ?? ctx.directory ?? '', s.name), d);
      case 'o':
        return pad(item === null ? 'del.' : ctx.direction, d);
      case 'l':
        return pad(humanNumber(item === null ? 0 : item.list.size(item.row), d.human), d);
      case 'b':
        return pad(humanNumber(this.transferred(s, item?.bytesWritten), d.human), d);
      case 'c':
        return pad(humanNumber(this.transferred(s, item?.checksumBytes), d.human), d);
      case 'B':
        return pad(permString(s.mode).slice(1), d);
      case 'M':
        return pad(timeString(item === null ? 0 : item.list.mtime(item.row)).replaceAll(' ', '-'), d);
      case 'U':
        return padNumber(item !== null && ctx.options.owner ? item.list.uid(item.row) : 0, d);
      case 'G':
        return ctx.options.group ? padNumber(item === null ? 0 : item.list.gid(item.row), d) : pad('DEFAULT', d);
      case 'p':
        return padNumber(ctx.pid, d);
      case 't':
        return pad(dateString(ctx.now()), d);
      default:
        return this.digest(d, s);
    }
  }

  private transferred(s: Subject, bytes = 0): number {
    return s.iflags & Item.TRANSFER ? bytes : 0;
  }

  /** %L: the leader of a hard link or the target of a symlink; a width covers what is behind the arrow. */
  private linkText(d: Directive, s: Subject): ByteString {
    const { item } = s;
    // The name of a transfer is that of its basis.
    const leader = s.iflags & Item.TRANSFER ? null : (item?.xname ?? null);
    if (leader !== null && leader.length > 0) return ` => ${pad(leader.toString('latin1'), d)}`;
    if (item !== null && (s.mode & S_IFMT) === S_IFLNK) {
      const target = item.list.target(item.row);
      return ` -> ${pad(target?.toString('latin1') ?? '', d)}`;
    }
    return d.padded ? `    ${pad('', d)}` : '';
  }

  /** %C; items that have no digest get as many spaces as one takes. */
  private digest(d: Directive, s: Subject): string {
    const { ctx } = this;
    const { item } = s;
    const ofList = ctx.options.checksum;
    // Without a checksum one byte stands in its place.
    const isNone = ctx.transferSumLength === 1;
    if (item !== null && (s.mode & S_IFMT) === S_IFREG) {
      const { list, row } = item;
      if (ofList && list.sumLength > 0) {
        const sum = list.sum(row);
        return pad(digestHex(sum, ctx.listSum), d);
      }
      if (!ofList && s.iflags & Item.TRANSFER && item.fileSum && !isNone) return pad(item.fileSum, d);
    }
    const length = ofList && item !== null && item.list.sumLength > 0 ? item.list.sumLength : ctx.transferSumLength;
    return ' '.repeat(2 * (length ?? 16));
  }
}

/** The line for a deletion in a log file. */
export function loggedDeletion(name: ByteString, mode: number, format: ItemFormat): ByteString {
  if (format.tellsDeletions) return format.formatDeletion(name, mode);
  return `deleting ${name}${(mode & S_IFMT) === S_IFDIR ? '/' : ''}\n`;
}

/**
 * The line for a deletion, or '' when the options ask for none: in `format` when that has %i or %o
 * (`*deleting   name`), else `deleting name`.
 */
export function deletedLine(name: ByteString, mode: number, options: Options, format: ItemFormat | null): ByteString {
  if (format?.tellsDeletions) return format.formatDeletion(name, mode);
  if (format === null && !(options.info.del >= 1)) return '';
  return `deleting ${name}${(mode & S_IFMT) === S_IFDIR ? '/' : ''}\n`;
}
