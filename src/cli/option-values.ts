/** Readers of option values: integers, sizes, times, modes, names of algorithms. Each throws rsync's message. */
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';

/** An error in the options: exit code 1 and rsync's wording. */
export function usageError(message: string): RsyncError {
  return new RsyncError(Exit.SYNTAX, `rsync: ${message}`);
}

const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;

/** An integer as C reads it: decimal, 0x hexadecimal or 0 octal; nothing is 0. Returns null, or a complaint as text. */
export function parseInteger(text: string): number | string {
  if (text === '') return 0;
  const m = /^[ \t\n\v\f\r]*([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.exec(text);
  if (m === null) return 'invalid numeric value';
  const digits = m[2];
  const radix = /^0[xX]/.test(digits) ? 16 : digits[0] === '0' ? 8 : 10;
  const size = Number.parseInt(radix === 16 ? digits.slice(2) : digits, radix);
  const value = m[1] === '-' ? -size : size;
  return value < INT_MIN || value > INT_MAX ? 'number too large or too small' : value;
}

export interface SizeRule {
  /** Option name without dashes, for the message. */
  name: string;
  /** Unit of a number without one: b, K, ... */
  unit: string;
  min: number;
  /** -1: no limit but the size of the machine's numbers. */
  max: number;
  /** 0 is accepted below `min` and means no limit. */
  zeroIsUnlimited: boolean;
}

const UNITS = 'bkmgtp';
/** What does not fit into 63 bits. */
const TOO_LARGE = 2 ** 63;

/** A size such as 100, 1.5K, 2MB (units of 1000), 3GiB, 4m+1 or 4m-1, in bytes. */
export function parseSize(text: string, rule: SizeRule): number {
  const fail = (what: string, limit = ''): never => {
    throw usageError(`--${rule.name}=${text} is ${what}${limit}`);
  };
  const m = /^(\d*(?:\.\d*)?)(?:([bkmgtp])(b|ib)?)?([-+]1)?$/i.exec(text);
  // C reads a number with its sign, and finds one below zero out of range.
  if (Number.parseFloat(text) < 0) return fail('too large', limitText('max', rule));
  if (m === null || (m[4] !== undefined && m[1] === '' && m[2] === undefined)) return fail('invalid');
  const power = UNITS.indexOf((m[2] ?? rule.unit).toLowerCase());
  const step = m[3] !== undefined && m[3].length === 1 ? 1000 : 1024;
  const value = Math.trunc((Number.parseFloat(m[1]) || 0) * step ** power) + (m[4] === undefined ? 0 : Number(m[4]));
  if (value < 0 || value >= TOO_LARGE || (rule.max >= 0 && value > rule.max))
    return fail('too large', limitText('max', rule));
  if (value < rule.min && !(rule.zeroIsUnlimited && value === 0)) {
    return fail('too small', limitText('min', rule));
  }
  return value;
}

function limitText(which: 'min' | 'max', rule: SizeRule): string {
  if (rule[which] < 0) return '';
  return ` (${which}: ${sizeText(rule[which])}${which === 'min' && rule.zeroIsUnlimited ? ' or 0 for unlimited' : ''})`;
}

/** A limit in a message: two decimals in units of 1024, plain below that. */
function sizeText(size: number): string {
  if (size < 1024) return String(size);
  let value = size / 1024;
  let unit = 1;
  while (value >= 1024) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)}${UNITS[unit].toUpperCase()}`;
}

/** True when `text` is a list of chmod changes: symbolic (with D and F for directories and files) or octal. */
export function isChmod(text: string): boolean {
  return text.split(',').every((clause) => {
    const octal = /^(?:D*|F*)([0-7]+)$/.exec(clause);
    if (octal !== null) return Number.parseInt(octal[1], 8) <= 0o7777;
    return /^(?:[Dugoa]*|[Fugoa]*)[-+=](?:[rwxXst]*|[ugo])$/.test(clause);
  });
}

const CHECKSUMS = ['xxh128', 'xxh3', 'xxh64', 'xxhash', 'md5', 'md4', 'sha1', 'none', 'auto'];
const COMPRESSIONS = ['zstd', 'lz4', 'zlibx', 'zlib', 'none'];

/** --checksum-choice: NAME or NAME,NAME in lower case; '' when it leaves everything to the default. */
export function parseChecksumChoice(text: string): string {
  const choice = text.toLowerCase();
  if (choice === 'auto' || choice === 'auto,auto') return '';
  const comma = choice.indexOf(',');
  const first = comma < 0 ? choice : choice.slice(0, comma);
  if (!CHECKSUMS.includes(first)) throw new RsyncError(Exit.UNSUPPORTED, `unknown checksum name: ${text}`);
  if (comma >= 0 && !CHECKSUMS.includes(choice.slice(comma + 1))) {
    throw new RsyncError(Exit.UNSUPPORTED, `unknown checksum name: ${text.slice(comma + 1)}`);
  }
  return choice;
}

/** --compress-choice in lower case; '' for auto. */
export function parseCompressChoice(text: string): string {
  const choice = text.toLowerCase();
  if (choice === 'auto') return '';
  if (!COMPRESSIONS.includes(choice)) throw new RsyncError(Exit.UNSUPPORTED, `unknown compress name: ${text}`);
  return choice;
}

/**
 * Cleans a path without looking at the disk: no doubled slashes, no `.` parts, no `x/..`, no slash at the end.
 * '' and '.' both stand for "here" and give ''.
 */
export function cleanPath(path: ByteString): ByteString {
  const rooted = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (parts.length > 0 && parts[parts.length - 1] !== '..') {
        parts.pop();
        continue;
      }
      if (rooted) continue;
    }
    parts.push(part);
  }
  return (rooted ? '/' : '') + parts.join('/');
}

/** True when a log format has the escape `letter`, as in %i, %-10i or %''b. */
export function formatHas(format: string, letter: string): boolean {
  for (const m of format.matchAll(/%-?'*\d*'*(.)/gs)) if (m[1] === letter) return true;
  return false;
}
