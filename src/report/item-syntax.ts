import type { ByteString } from '../../protocol/options.js';

/** One `%` directive of a format: `%-12'l`. */
export interface Directive {
  letter: string;
  /** How many apostrophes it has: 1 groups the digits, 2 and 3 use units. */
  human: number;
  /** True when a width or a minus sign was written. */
  padded: boolean;
  width: number;
  left: boolean;
  zero: boolean;
}

/** Longest width that is understood, in digits; rsync reads no further either. */
const MAX_WIDTH_DIGITS = 23;
/** A wider field could not be printed: the longest line has a path and a kilobyte. */
const MAX_WIDTH = 5000;

function apostrophes(format: ByteString, at: number): number {
  let end = at;
  while (format[end] === "'") end++;
  return end;
}

/** Reads the directive whose `%` is at `start`; `end` is behind its letter. Null when the format ends in it. */
function readDirective(format: ByteString, start: number): { directive: Directive; end: number } | null {
  const signs = apostrophes(format, start + 1);
  const left = format[signs] === '-';
  const digits = left ? signs + 1 : signs;
  let after = digits;
  while (/^\d$/.test(format[after] ?? '') && after - signs < MAX_WIDTH_DIGITS) after++;
  const letterAt = apostrophes(format, after);
  if (letterAt >= format.length) return null;
  const directive: Directive = {
    letter: format[letterAt],
    human: signs - start - 1 + (letterAt - after),
    padded: left || after > digits,
    width: Math.min(Number(format.slice(digits, after)), MAX_WIDTH),
    left,
    zero: format[digits] === '0' && !left,
  };
  return { directive, end: letterAt + 1 };
}

/**
 * Splits a format into literal text and directives. `constant` gives the text of directives that never change,
 * undefined for those that must be worked out for each line, and null for unknown ones, which stay as they are.
 */
export function compileFormat(
  format: ByteString,
  constant: (letter: string) => string | null | undefined,
): (string | Directive)[] {
  const parts: (string | Directive)[] = [];
  let literal = '';
  let at = 0;
  while (at < format.length) {
    const found = format[at] === '%' ? readDirective(format, at) : null;
    if (found === null) {
      literal += format[at++];
      continue;
    }
    const text = constant(found.directive.letter);
    if (text === undefined) {
      if (literal !== '') parts.push(literal);
      literal = '';
      parts.push(found.directive);
    } else {
      literal += text === null ? format.slice(at, found.end) : pad(text, found.directive);
    }
    at = found.end;
  }
  if (literal !== '') parts.push(literal);
  return parts;
}

/** A value in the width of its directive. */
export function pad(text: ByteString, d: Directive): ByteString {
  if (!d.padded) return text;
  return d.left ? text.padEnd(d.width) : text.padStart(d.width);
}

/** A plain number in the width of its directive; a width that starts with 0 fills with zeros. */
export function padNumber(n: number, d: Directive): string {
  return d.zero ? String(n).padStart(d.width, '0') : pad(String(n), d);
}
