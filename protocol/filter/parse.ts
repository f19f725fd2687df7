import { Exit } from '../constants.js';
import { RsyncError } from '../errors.js';
import type { ByteString } from '../options.js';
import { RuleFlag, SIDES } from './rule.js';

/** Where rule text comes from when it was read from a file; the text itself is never shown then. */
export interface RuleSource {
  /** Name of the file, or null when another file named it. */
  name: ByteString | null;
  /** The place that named the file, for `name` === null. */
  namedAt: string;
  /** Line number from 1, or 0 in files of words. */
  line: number;
}

export function describeSource(s: RuleSource): string {
  if (s.name === null) return s.namedAt === '' ? 'a file read earlier' : `a file named at ${s.namedAt}`;
  return s.line > 0 ? `${s.name} line ${s.line}` : s.name;
}

/** Rule text for a message: as it is when a user typed it, only its place when it is the content of a file. */
export function shownText(text: ByteString, source: RuleSource | null): string {
  return source === null ? text : `<rule from ${describeSource(source)}>`;
}

function syntaxError(message: string, text: ByteString, source: RuleSource | null): RsyncError {
  return new RsyncError(Exit.SYNTAX, `${message}: ${shownText(text, source)}`);
}

/** One rule as it was written. */
export interface ParsedRule {
  flags: number;
  pattern: ByteString;
  /** Where the next rule of the same text starts. */
  next: number;
}

export interface ParseStyle {
  /** Flags of the merge rule, or of the option, that the text belongs to. */
  template: number;
  /** Only "+ ", "- " and "!" are understood in front of a pattern: --exclude and --include. */
  oldPrefixes: boolean;
  /** Rules that name no side become sender-side rules. */
  deleteExcluded: boolean;
}

const INHERITED = RuleFlag.ABSOLUTE | RuleFlag.INCLUDE | RuleFlag.DIRECTORY | RuleFlag.NEGATE | RuleFlag.PERISHABLE;
const LONG_NAMES: readonly (readonly [string, string])[] = [
  ['clear', '!'],
  ['dir-merge', ':'],
  ['exclude', '-'],
  ['hide', 'H'],
  ['include', '+'],
  ['merge', '.'],
  ['protect', 'P'],
  ['risk', 'R'],
  ['show', 'S'],
];
/** The flags that each one-letter rule name stands for. */
const TYPES: Readonly<Record<string, number>> = {
  '+': RuleFlag.INCLUDE,
  '-': 0,
  '.': RuleFlag.MERGE,
  ':': RuleFlag.MERGE | RuleFlag.PER_DIRECTORY,
  S: RuleFlag.INCLUDE | RuleFlag.SENDER,
  H: RuleFlag.SENDER,
  R: RuleFlag.INCLUDE | RuleFlag.RECEIVER,
  P: RuleFlag.RECEIVER,
  '!': RuleFlag.CLEAR,
};

function isSpace(c: number): boolean {
  return c === 0x20 || (c >= 0x09 && c <= 0x0d);
}

/** The flags that a modifier letter adds to a rule of these flags, or -1 when it is not allowed there. */
function modifier(letter: string, flags: number, sideIsNamed: boolean): number {
  const merge = (flags & RuleFlag.MERGE) !== 0;
  const prefixless = (flags & RuleFlag.NO_PREFIXES) !== 0;
  switch (letter) {
    case '-':
      return merge && !prefixless ? RuleFlag.NO_PREFIXES : -1;
    case '+':
      return merge && !prefixless ? RuleFlag.NO_PREFIXES | RuleFlag.INCLUDE : -1;
    case '/':
      return RuleFlag.ABSOLUTE;
    case '!':
      return merge ? -1 : RuleFlag.NEGATE;
    case 'C':
      if (prefixless || sideIsNamed) return -1;
      return RuleFlag.NO_PREFIXES | RuleFlag.WORDS | RuleFlag.NO_INHERIT | RuleFlag.CVS;
    case 'e':
      return merge ? RuleFlag.EXCLUDE_SELF : -1;
    case 'n':
      return merge ? RuleFlag.NO_INHERIT : -1;
    case 'w':
      return merge ? RuleFlag.WORDS : -1;
    case 'p':
      return RuleFlag.PERISHABLE;
    case 'r':
      return sideIsNamed ? -1 : RuleFlag.RECEIVER;
    case 's':
      return sideIsNamed ? -1 : RuleFlag.SENDER;
    case 'x':
      return RuleFlag.XATTR;
    default:
      return -1;
  }
}

/** The one-letter name of the rule at `at` and where the name ends: on its last letter, or on the comma behind it. */
function ruleName(text: ByteString, at: number): { letter: string; last: number } | null {
  if (/[a-z]/.test(text[at])) {
    for (const [name, letter] of LONG_NAMES) {
      if (!text.startsWith(name, at)) continue;
      const end = at + name.length;
      if (text[end] === ',') return { letter, last: end };
      if (end === text.length || text[end] === '_' || isSpace(text.charCodeAt(end))) return { letter, last: end - 1 };
    }
    return null;
  }
  return { letter: text[at], last: text[at + 1] === ',' ? at + 1 : at };
}

/** Reads name and modifiers of a rule in the full syntax. Returns its flags and where the pattern starts. */
function parsePrefix(text: ByteString, at: number, style: ParseStyle, source: RuleSource | null): [number, number] {
  const name = ruleName(text, at);
  const type = name === null || !Object.hasOwn(TYPES, name.letter) ? undefined : TYPES[name.letter];
  if (name === null || type === undefined) throw syntaxError('Unknown filter rule', text.slice(at), source);
  let flags = (style.template & INHERITED) | type;
  const sideIsNamed = (type & SIDES) !== 0;
  const words = (style.template & RuleFlag.WORDS) !== 0;
  let i = name.last;
  if ((type & RuleFlag.CLEAR) === 0) {
    for (i++; i < text.length && text[i] !== ' ' && text[i] !== '_'; i++) {
      if (words && isSpace(text.charCodeAt(i))) {
        i--;
        break;
      }
      const added = modifier(text[i], flags, sideIsNamed);
      if (added < 0) {
        const where = source === null ? ` '${text[i]}' at position ${i - at}` : '';
        throw syntaxError(`invalid modifier${where} in filter rule`, text.slice(at), source);
      }
      flags |= added;
    }
  }
  return [flags, i < text.length ? i + 1 : i];
}

/**
 * The next rule of `text` from `at` on, or null at its end. Source of the syntax: "FILTER RULES IN DEPTH" of the
 * manual page. Throws RsyncError (exit 1) with rsync's message.
 */
export function parseRule(
  text: ByteString,
  at: number,
  style: ParseStyle,
  source: RuleSource | null,
): ParsedRule | null {
  const { template, oldPrefixes } = style;
  const words = (template & RuleFlag.WORDS) !== 0;
  while (words && at < text.length && isSpace(text.charCodeAt(at))) at++;
  if (at >= text.length) return null;
  let flags = template & INHERITED;
  let start = at;
  if (template & RuleFlag.NO_PREFIXES) {
    if (text[at] === '!' && template & RuleFlag.CVS) flags |= RuleFlag.CLEAR;
  } else if (oldPrefixes) {
    if (text.startsWith('- ', at)) flags &= ~RuleFlag.INCLUDE;
    else if (text.startsWith('+ ', at)) flags |= RuleFlag.INCLUDE;
    if (text.startsWith('- ', at) || text.startsWith('+ ', at)) start = at + 2;
    else if (text[at] === '!') flags |= RuleFlag.CLEAR;
  } else {
    [flags, start] = parsePrefix(text, at, style, source);
  }
  if (template & SIDES) {
    if (flags & SIDES) {
      throw syntaxError('specified-side merge file contains specified-side filter', text.slice(at), source);
    }
    flags |= template & SIDES;
  }
  let next = text.length;
  if (words) for (next = start; next < text.length && !isSpace(text.charCodeAt(next)); ) next++;
  const length = next - start;
  if (flags & RuleFlag.CLEAR) {
    if ((template & RuleFlag.NO_PREFIXES) === 0 && !oldPrefixes && length > 0) {
      throw syntaxError("'!' rule has trailing characters", text.slice(at), source);
    }
    if (length > 1) flags &= ~RuleFlag.CLEAR;
  } else if (length === 0 && (flags & RuleFlag.CVS) === 0) {
    throw syntaxError('unexpected end of filter rule', text.slice(at), source);
  }
  if (style.deleteExcluded && (flags & (SIDES | RuleFlag.MERGE)) === 0) flags |= RuleFlag.SENDER;
  if (source !== null) flags |= RuleFlag.FROM_FILE;
  return { flags, pattern: text.slice(start, next), next };
}

/** Longest line or word of a rule file, in bytes. */
const MAX_LINE = 5119;

/**
 * Calls `take` for each line, word (`words`) or NUL-terminated record (`from0`) of a rule file, with its line number
 * (0 for words). Empty ones and, unless words are read, comments are left out. Over-long ones go to `tooLong`.
 */
export function splitRules(
  content: ByteString,
  words: boolean,
  from0: boolean,
  take: (text: ByteString, line: number) => void,
  tooLong: (line: number) => void,
): void {
  let line = 0;
  let start = 0;
  while (start <= content.length) {
    line++;
    let end = start;
    while (end < content.length && !isBreak(content.charCodeAt(end), words, from0)) end++;
    let text = content.slice(start, end);
    const nul = text.indexOf('\0');
    if (text.length > MAX_LINE) tooLong(words ? 0 : line);
    else {
      if (nul >= 0) text = text.slice(0, nul);
      if (text !== '' && (words || (text[0] !== ';' && text[0] !== '#'))) take(text, words ? 0 : line);
    }
    start = end + (!from0 && content[end] === '\r' && content[end + 1] === '\n' ? 2 : 1);
  }
}

function isBreak(c: number, words: boolean, from0: boolean): boolean {
  return (words && isSpace(c)) || (from0 ? c === 0 : c === 0x0a || c === 0x0d);
}

/** Takes empty, `.` and, as far as possible, `..` components out of a path; never empty. */
export function cleanPath(path: ByteString): ByteString {
  const absolute = path.startsWith('/');
  const out: ByteString[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && out.length > 0 && out[out.length - 1] !== '..') out.pop();
    else if (part !== '..' || !absolute) out.push(part);
  }
  if (absolute) return `/${out.join('/')}`;
  return out.length === 0 ? '.' : out.join('/');
}
