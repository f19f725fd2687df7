import type { ByteString } from '../options.js';
import { wildmatch } from './wildmatch.js';

/** What a rule says besides its pattern; the letters are those of the modifiers in rule text (6.3). */
export const RuleFlag = {
  INCLUDE: 0x001,
  /** Only directories: the pattern ended in a slash. */
  DIRECTORY: 0x002,
  /** `/`: the pattern is compared with the absolute path. */
  ABSOLUTE: 0x004,
  /** `!` */
  NEGATE: 0x008,
  /** `s` and `r` */
  SENDER: 0x010,
  RECEIVER: 0x020,
  /** `p` */
  PERISHABLE: 0x040,
  /** `x` */
  XATTR: 0x080,
  /** `.` or `:` */
  MERGE: 0x100,
  /** `:` */
  PER_DIRECTORY: 0x200,
  /** `n` */
  NO_INHERIT: 0x400,
  /** `w` */
  WORDS: 0x800,
  /** `-` or `+` of a merge rule */
  NO_PREFIXES: 0x1000,
  /** `e` */
  EXCLUDE_SELF: 0x2000,
  /** `C` */
  CVS: 0x4000,
  /** `!` as a rule: forget the list so far. */
  CLEAR: 0x8000,
  /** The text came out of a file, so that messages must not repeat it. */
  FROM_FILE: 0x10000,
} as const;
export const SIDES = RuleFlag.SENDER | RuleFlag.RECEIVER;

const Match = {
  /** The last component equals the pattern, ends or begins with it, or matches it as a wildcard. */
  BASE: 0,
  BASE_SUFFIX: 1,
  BASE_PREFIX: 2,
  BASE_WILD: 3,
  /** The whole path equals or matches the pattern. */
  PATH: 4,
  PATH_WILD: 5,
  /** The last components of the path, as many as the pattern has, equal or match it. */
  TAIL: 6,
  TAIL_WILD: 7,
  /** The path matches behind any slash or as a whole. */
  ANYWHERE: 8,
} as const;

/**
 * One rule, ready to be compared with names. Rules are shared by all scopes that they hold in and never change.
 * How a pattern is compared follows "ANCHORING" and "PATTERN MATCHING RULES" of the manual page.
 */
export class Rule {
  private readonly kind: number;
  /** What is compared: the pattern without its leading slash or without the one star of a suffix or prefix. */
  private readonly text: ByteString;
  private readonly slashes: number;
  private readonly leadingSlash: boolean;
  private readonly trailingSlash: boolean;
  private readonly full: boolean;

  constructor(
    readonly flags: number,
    /** As written, without the slash that says "only directories". */
    readonly pattern: ByteString,
    /** Absolute directory, ending in a slash, that an anchored rule of a per-directory file belongs to; else ''. */
    private readonly anchor: ByteString = '',
  ) {
    const wild = /[*?[]/.test(pattern);
    const doubleStar = pattern.indexOf('**');
    const anchored = pattern.startsWith('/');
    let slashes = 0;
    for (let i = pattern.indexOf('/'); i >= 0; i = pattern.indexOf('/', i + 1)) slashes++;
    this.slashes = slashes;
    this.full = (flags & RuleFlag.ABSOLUTE) !== 0 || anchor !== '';
    this.trailingSlash = doubleStar >= 0 && pattern.endsWith('***');
    this.leadingSlash = !this.full && doubleStar === 0;
    this.text = anchored ? pattern.slice(1) : pattern;
    if (slashes === 0 && doubleStar < 0) {
      this.kind = wild ? Match.BASE_WILD : Match.BASE;
      if (/^\*[^*?[\\]*$/.test(pattern)) {
        this.kind = Match.BASE_SUFFIX;
        this.text = pattern.slice(1);
      } else if (/^[^*?[\\]*\*$/.test(pattern)) {
        this.kind = Match.BASE_PREFIX;
        this.text = pattern.slice(0, -1);
      }
    } else if (anchored || doubleStar === 0) {
      this.kind = wild ? Match.PATH_WILD : Match.PATH;
    } else if (doubleStar > 0) {
      this.kind = Match.ANYWHERE;
    } else {
      this.kind = wild ? Match.TAIL_WILD : Match.TAIL;
    }
  }

  is(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** True when the rule concerns this side: it names no side, or this one. */
  appliesTo(side: number): boolean {
    return (this.flags & SIDES) === 0 || (this.flags & side) !== 0;
  }

  /**
   * True when the rule decides about a name.
   * @param path transfer-relative, or absolute with its leading slash
   * @param base absolute directory that `path` is relative to, without a slash at its end
   */
  matches(path: ByteString, isDir: boolean, base: ByteString): boolean {
    const hit = (isDir || (this.flags & RuleFlag.DIRECTORY) === 0) && this.compare(path, isDir, base);
    return hit !== ((this.flags & RuleFlag.NEGATE) !== 0);
  }

  private compare(path: ByteString, isDir: boolean, base: ByteString): boolean {
    const { kind, text } = this;
    if (kind <= Match.BASE_WILD) {
      const from = path.lastIndexOf('/') + 1;
      switch (kind) {
        case Match.BASE:
          return path.length - from === text.length && path.endsWith(text);
        case Match.BASE_SUFFIX:
          return path.length - from >= text.length && path.endsWith(text);
        case Match.BASE_PREFIX:
          return path.startsWith(text, from);
        default:
          return wildmatch(text, path, from);
      }
    }
    let from = 0;
    let subject = path;
    if (path.charCodeAt(0) === 0x2f) from = 1;
    else if (this.full && base !== '') {
      subject = `${base}/${path}`;
      from = 1;
    } else if (this.leadingSlash) subject = `/${path}`;
    if (isDir && this.trailingSlash) subject += '/';
    if (this.anchor !== '') {
      // The directory is compared as it is: only the pattern behind it may hold wildcards.
      if (from === 0) subject = `/${subject}`;
      if (!subject.startsWith(this.anchor)) return false;
      from = this.anchor.length;
    }
    return this.comparePath(subject, from);
  }

  private comparePath(subject: ByteString, from: number): boolean {
    const { kind, text } = this;
    switch (kind) {
      case Match.PATH:
        return subject.length - from === text.length && subject.endsWith(text);
      case Match.PATH_WILD:
        return wildmatch(text, subject, from);
      case Match.ANYWHERE: {
        for (let at = from; ; ) {
          if (wildmatch(text, subject, at)) return true;
          at = subject.indexOf('/', at) + 1;
          if (at === 0) return false;
        }
      }
      default: {
        let at = subject.length;
        for (let n = this.slashes; n >= 0; n--) {
          at = at > from ? subject.lastIndexOf('/', at - 1) : -1;
          if (at < from) {
            at = from - 1;
            if (n > 0) return false;
          }
        }
        at++;
        if (kind === Match.TAIL_WILD) return wildmatch(text, subject, at);
        return subject.length - at === text.length && subject.endsWith(text);
      }
    }
  }
}

/**
 * The text of a rule on the wire (6.3), or null when the protocol version cannot express it.
 */
export function ruleText(
  rule: Rule,
  protocol: number,
  clientIsSender: boolean,
  deleteExcluded: boolean,
): ByteString | null {
  const { pattern } = rule;
  const old = protocol < 29;
  let letters = '';
  if (rule.is(RuleFlag.ABSOLUTE)) letters += '/';
  if (rule.is(RuleFlag.NEGATE)) letters += '!';
  if (rule.is(RuleFlag.CVS)) letters += 'C';
  else {
    if (rule.is(RuleFlag.NO_INHERIT)) letters += 'n';
    if (rule.is(RuleFlag.WORDS)) letters += 'w';
    if (rule.is(RuleFlag.NO_PREFIXES)) letters += rule.is(RuleFlag.INCLUDE) ? '+' : '-';
  }
  if (rule.is(RuleFlag.XATTR)) letters += 'x';
  if (rule.is(RuleFlag.SENDER) && !old) letters += 's';
  if (rule.is(RuleFlag.RECEIVER) && (!old || (deleteExcluded && clientIsSender))) letters += 'r';
  if (rule.is(RuleFlag.PERISHABLE)) {
    if (protocol >= 30) letters += 'p';
    else if (clientIsSender) return null;
  }
  const tail = rule.is(RuleFlag.DIRECTORY) ? `${pattern}/` : pattern;
  if (old) {
    if (letters !== '' || rule.is(RuleFlag.PER_DIRECTORY)) return null;
    if (rule.is(RuleFlag.INCLUDE)) return `+ ${tail}`;
    return /^[-+] /.test(pattern) ? `- ${tail}` : tail;
  }
  const type = rule.is(RuleFlag.PER_DIRECTORY) ? ':' : rule.is(RuleFlag.INCLUDE) ? '+' : '-';
  return `${type}${letters} ${tail}`;
}
