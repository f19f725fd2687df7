import type { ByteString } from '../options.js';

const SLASH = 0x2f;
const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const BACKSLASH = 0x5c;
const BANG = 0x21;
const CARET = 0x5e;
const DASH = 0x2d;
const COLON = 0x3a;

const isUpper = (c: number) => c >= 0x41 && c <= 0x5a;
const isLower = (c: number) => c >= 0x61 && c <= 0x7a;
const isDigit = (c: number) => c >= 0x30 && c <= 0x39;
const isGraph = (c: number) => c > 0x20 && c < 0x7f;
const isAlnum = (c: number) => isUpper(c) || isLower(c) || isDigit(c);

/** The named classes of `[[:name:]]`, for ASCII: other bytes belong to none of them. */
const CLASSES: Readonly<Record<string, (c: number) => boolean>> = {
  alnum: isAlnum,
  alpha: (c) => isUpper(c) || isLower(c),
  blank: (c) => c === 0x20 || c === 0x09,
  cntrl: (c) => c < 0x20 || c === 0x7f,
  digit: isDigit,
  graph: isGraph,
  lower: isLower,
  print: (c) => isGraph(c) || c === 0x20,
  punct: (c) => isGraph(c) && !isAlnum(c),
  space: (c) => c === 0x20 || (c >= 0x09 && c <= 0x0d),
  upper: isUpper,
  xdigit: (c) => isDigit(c) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66),
};

/** Where the class that was matched last ended in its pattern: behind the `]`. Module state, valid at once only. */
let classEnd = 0;

/**
 * Matches one byte against the class that opens at `pattern[at]`. Returns 1 or 0 and sets `classEnd`, or -1 when the
 * class has no end or an unknown name: such a pattern matches nothing.
 */
function matchClass(pattern: ByteString, at: number, c: number): number {
  let p = at + 1;
  const negated = pattern.charCodeAt(p) === BANG || pattern.charCodeAt(p) === CARET;
  if (negated) p++;
  let found = false;
  let previous = 0;
  // The first byte belongs to the class even if it is a bracket.
  for (let first = true; first || pattern.charCodeAt(p) !== CLOSE; first = false) {
    if (p >= pattern.length) return -1;
    let from = pattern.charCodeAt(p);
    if (from === DASH && previous !== 0 && p + 1 < pattern.length && pattern.charCodeAt(p + 1) !== CLOSE) {
      let to = pattern.charCodeAt(++p);
      if (to === BACKSLASH) {
        if (++p >= pattern.length) return -1;
        to = pattern.charCodeAt(p);
      }
      if (c >= previous && c <= to) found = true;
      previous = 0;
    } else if (from === OPEN && pattern.charCodeAt(p + 1) === COLON) {
      const end = pattern.indexOf(']', p + 2);
      if (end < 0) return -1;
      if (end - 1 >= p + 2 && pattern.charCodeAt(end - 1) === COLON) {
        const test = CLASSES[pattern.slice(p + 2, end - 1)];
        if (test === undefined) return -1;
        if (test(c)) found = true;
        p = end;
        previous = 0;
      } else {
        // "[:" without ":]" is a plain bracket.
        if (c === OPEN) found = true;
        previous = OPEN;
      }
    } else {
      if (from === BACKSLASH) {
        if (++p >= pattern.length) return -1;
        from = pattern.charCodeAt(p);
      }
      if (c === from) found = true;
      previous = from;
    }
    p++;
  }
  classEnd = p + 1;
  return found !== negated && c !== SLASH ? 1 : 0;
}

/**
 * True when the whole of `text` from `from` on matches `pattern`. `?` and `*` and classes do not match a slash, two or
 * more stars match everything, a backslash makes the next byte plain.
 *
 * A star takes as little as it can. Behind a `**` nothing in front of it needs another try, and behind a `*` only the
 * last `**` can help, so two places to go back to are enough and the time is bounded by the lengths, not exponential.
 */
export function wildmatch(pattern: ByteString, text: ByteString, from = 0): boolean {
  const patternEnd = pattern.length;
  const textEnd = text.length;
  let p = 0;
  let t = from;
  let starPattern = -1;
  let starText = 0;
  let doublePattern = -1;
  let doubleText = 0;
  for (;;) {
    let matched = false;
    if (p < patternEnd) {
      const c = pattern.charCodeAt(p);
      if (c === STAR) {
        let next = p + 1;
        while (pattern.charCodeAt(next) === STAR) next++;
        if (next - p > 1) {
          if (next === patternEnd) return true;
          doublePattern = next;
          doubleText = t;
          starPattern = -1;
        } else {
          starPattern = next;
          starText = t;
        }
        p = next;
        continue;
      }
      if (t < textEnd) {
        const b = text.charCodeAt(t);
        if (c === QUESTION) {
          matched = b !== SLASH;
          p++;
        } else if (c === OPEN) {
          const result = matchClass(pattern, p, b);
          if (result < 0) return false;
          matched = result === 1;
          p = classEnd;
        } else if (c === BACKSLASH && p + 1 < patternEnd) {
          matched = pattern.charCodeAt(p + 1) === b;
          p += 2;
        } else {
          matched = c === b && c !== BACKSLASH;
          p++;
        }
        t++;
      }
    } else if (t === textEnd) {
      return true;
    }
    if (matched) continue;
    if (starPattern >= 0 && starText < textEnd && text.charCodeAt(starText) !== SLASH) {
      p = starPattern;
      t = ++starText;
    } else if (doublePattern >= 0 && doubleText < textEnd) {
      p = doublePattern;
      t = ++doubleText;
      starPattern = -1;
    } else {
      return false;
    }
  }
}
