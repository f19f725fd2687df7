import type { ByteString } from '../../protocol/options.js';
import { locale } from './locale.js';

const BACKSLASH = 0x5c;
const HASH = 0x23;
const TAB = 0x09;
const SPACE = 0x20;

/** Nothing in such a text can need an escape. */
const PLAIN = /^[\t\x20-\x5b\x5d-\x7f]*$/;
const PLAIN_HIGH = /^[\t\x20-\x5b\x5d-\xff]*$/;

function octal(byte: number): string {
  return `\\#${byte.toString(8).padStart(3, '0')}`;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** True where the text already looks like an escape: its backslash is escaped, so that the output stays unambiguous. */
function looksEscaped(text: ByteString, at: number): boolean {
  return (
    text.charCodeAt(at + 1) === HASH &&
    isDigit(text.charCodeAt(at + 2)) &&
    isDigit(text.charCodeAt(at + 3)) &&
    isDigit(text.charCodeAt(at + 4))
  );
}

/** Length of a character by its first byte; the C library's converter still knows five and six bytes. */
function declaredLength(first: number): number {
  if (first < 0xc2 || first > 0xfd) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  if (first < 0xf8) return 4;
  return first < 0xfc ? 5 : 6;
}

/**
 * Length of the character that starts with the high byte at `at`, 0 when it is none. Accepts what the C library's
 * converter accepts: surrogates and forms that are longer than needed are wrong, numbers above U+10FFFF are not.
 */
function utf8Length(text: ByteString, at: number): number {
  const first = text.charCodeAt(at);
  const length = declaredLength(first);
  if (length === 0 || at + length > text.length) return 0;
  for (let i = 1; i < length; i++) {
    if ((text.charCodeAt(at + i) & 0xc0) !== 0x80) return 0;
  }
  if (length === 2) return length;
  const second = text.charCodeAt(at + 1);
  if (first === 0xed && second >= 0xa0) return 0;
  // A first byte without bits of its own needs enough of them in the second one.
  const bare = first === ((0xff00 >> length) & 0xff);
  return bare && second < 0x80 + (1 << (8 - length)) ? 0 : length;
}

function escapeBytes(text: ByteString, eightBit: boolean, utf8: boolean): ByteString {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) {
      const unsafe = code === BACKSLASH ? looksEscaped(text, i) : code < SPACE && code !== TAB;
      out += unsafe ? octal(code) : text[i];
    } else if (eightBit) {
      out += text[i];
    } else {
      const length = utf8 ? utf8Length(text, i) : 0;
      if (length === 0) {
        out += octal(code);
      } else {
        out += text.slice(i, i + length);
        i += length - 1;
      }
    }
  }
  return out;
}

/**
 * A name (or any text) as it may go to a terminal: control characters but the tab, bytes that are no character of
 * the locale, and the backslash of everything that looks like an escape become `\#ooo`. With `eightBit` (-8) high
 * bytes stay. The sinks of `log.ts` do this to every message: only text that takes another way needs a call.
 */
export function escapeName(name: ByteString, eightBit: boolean, utf8: boolean | null = null): ByteString {
  if (PLAIN.test(name) || (eightBit && PLAIN_HIGH.test(name))) return name;
  return escapeBytes(name, eightBit, utf8 ?? locale().utf8);
}

/** Text for a log file: as with -8, and the bytes 0x80 to 0x9f, which some terminals obey, are escaped too. */
export function escapeForLog(text: ByteString): ByteString {
  if (PLAIN.test(text)) return text;
  return escapeBytes(text, true, false).replace(/[\x80-\x9f]/g, (c) => octal(c.charCodeAt(0)));
}

/**
 * One message as a sink prints it: everything is escaped but a leading `\r` and one `\n` or `\r` at the end. A
 * newline in the middle can only come out of a name.
 */
export function escapeMessage(text: ByteString, escaped: (text: ByteString) => ByteString): ByteString {
  const last = text.charCodeAt(text.length - 1);
  const end = last === 0x0a || last === 0x0d ? text.length - 1 : text.length;
  const start = end > 0 && text.charCodeAt(0) === 0x0d ? 1 : 0;
  return text.slice(0, start) + escaped(text.slice(start, end)) + text.slice(end);
}
