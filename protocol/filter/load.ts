import { Exit, MAX_PATH } from '../constants.js';
import { RsyncError } from '../errors.js';
import type { ByteString } from '../options.js';
import { lastName } from '../path.js';
import { cleanPath, describeSource, parseRule, type RuleSource, shownText, splitRules } from './parse.js';
import { Rule, RuleFlag, SIDES } from './rule.js';

/** Gives the content of rule files. */
export interface FilterReader {
  /**
   * Content of a filter or merge file, null when it does not exist; throws UnreadableRules or RsyncError otherwise.
   * `isIncluded`: another file names it.
   */
  read(path: ByteString, isIncluded?: boolean): Buffer | null;
}

/** Why a file of rules cannot be read, such as `Permission denied (13)`; `notice` is what is to be said before that. */
export class UnreadableRules extends Error {
  constructor(
    readonly reason: string,
    readonly notice = '',
  ) {
    super(reason);
  }
}

/** What holds for every rule that one filter list reads. */
export interface LoadSettings {
  /** RuleFlag.SENDER or RuleFlag.RECEIVER: the side that this process plays. */
  side: number;
  deleteExcluded: boolean;
  /** Rule files hold NUL-terminated records (--from0). */
  from0: boolean;
  /** Name of this process in messages, such as `client`. */
  who: string;
  /** Takes messages that do not end the run. */
  report: (text: string) => void;
}

/** How one text or file of rules is read. */
export interface LoadContext {
  settings: LoadSettings;
  reader: FilterReader;
  template: number;
  oldPrefixes: boolean;
  /** A missing file ends the run. */
  fatal: boolean;
  /** Module filters of a daemon: a directory that is left out takes everything below it along. */
  module: boolean;
  /** Per-directory file: the absolute directory, ending in a slash, that anchored rules belong to; otherwise ''. */
  anchor: ByteString;
  /** The directory, ending in a slash, that merge names with a slash start from; '' is where `reader` starts. */
  directory: ByteString;
  /** While the parents of the transfer are searched, all merge names are relative to `directory`. */
  parents: boolean;
  source: RuleSource | null;
  depth: number;
  /** True when a per-directory merge file of this name is active already: the rule is dropped. */
  isActive: (name: ByteString) => boolean;
}

/** The list that rules are added to. */
export class RuleTarget {
  /** True once a list-clearing rule was met: what was inherited is gone, too. */
  cleared = false;

  constructor(readonly rules: Rule[] = []) {}
}

/** Merge files that may include each other: the deepest level. */
const MAX_DEPTH = 32;

/** The path of a merge file as `reader` knows it. A plain name is left as it is; others start from the context's directory. */
function mergePath(name: ByteString, c: LoadContext): ByteString {
  if (name.startsWith('/')) return cleanPath(name);
  if (!c.parents && !name.includes('/')) return name;
  return cleanPath(c.directory + name);
}

/** Adds the rules of a text to `out`. */
export function loadText(text: ByteString, out: RuleTarget, c: LoadContext): void {
  const style = { template: c.template, oldPrefixes: c.oldPrefixes, deleteExcluded: c.settings.deleteExcluded };
  for (let at = 0; ; ) {
    const parsed = parseRule(text, at, style, c.source);
    if (parsed === null) return;
    at = parsed.next;
    const { flags, pattern } = parsed;
    if (pattern.length >= MAX_PATH) {
      c.settings.report(`discarding over-long filter: ${shownText(pattern, c.source)}`);
    } else if (flags & RuleFlag.CLEAR) {
      out.rules.length = 0;
      out.cleared = true;
    } else if (flags & RuleFlag.MERGE) {
      loadMerge(flags, pattern === '' ? '.cvsignore' : pattern, out, c);
    } else {
      addPattern(flags, pattern, out, c);
    }
  }
}

function loadMerge(flags: number, name: ByteString, out: RuleTarget, c: LoadContext): void {
  if (flags & RuleFlag.EXCLUDE_SELF) {
    addPattern(flags & RuleFlag.FROM_FILE, lastName(name), out, { ...c, anchor: '', module: false });
  }
  if (flags & RuleFlag.PER_DIRECTORY) {
    const path = c.parents ? mergePath(name, c) : name;
    const last = lastName(path);
    const known = out.rules.some((r) => r.is(RuleFlag.PER_DIRECTORY) && lastName(r.pattern) === last);
    if (!known && !c.isActive(last)) out.rules.push(new Rule(flags & ~RuleFlag.EXCLUDE_SELF, path));
    return;
  }
  loadFile(mergePath(name, c), out, {
    ...c,
    template: flags,
    oldPrefixes: false,
    fatal: true,
    module: false,
    anchor: '',
  });
}

function addPattern(flags: number, text: ByteString, out: RuleTarget, c: LoadContext): void {
  // Rules for the other side only are of no use in files that are not sent on.
  if ((c.anchor !== '' || c.module) && (flags & SIDES) !== 0 && (flags & c.settings.side) === 0) return;
  let pattern = text;
  let all = flags;
  if (pattern.length > 1 && pattern.endsWith('/')) {
    pattern = pattern.slice(0, -1);
    all |= RuleFlag.DIRECTORY;
  }
  if (c.module && (all & (RuleFlag.DIRECTORY | RuleFlag.INCLUDE)) === RuleFlag.DIRECTORY) {
    all &= ~RuleFlag.DIRECTORY;
    pattern += '/***';
  }
  const anchored = c.anchor !== '' && (all & RuleFlag.ABSOLUTE) === 0 && pattern.startsWith('/');
  out.rules.push(new Rule(all, pattern, anchored ? c.anchor : ''));
}

/** A file that was not named on the command line may be missing or closed to us. */
function readRules(path: ByteString, c: LoadContext): Buffer | UnreadableRules {
  try {
    return c.reader.read(path, c.depth > 0) ?? new UnreadableRules('No such file or directory (2)');
  } catch (error) {
    if (error instanceof UnreadableRules) return error;
    if (c.fatal) throw error;
    return new UnreadableRules('');
  }
}

/**
 * Adds the rules of a file to `out`. Below a context with `fatal` a missing file ends the run (exit 11).
 * `c.template` are the flags of the rule that named the file, `shownPath` its name in messages.
 */
export function loadFile(path: ByteString, out: RuleTarget, c: LoadContext, shownPath = path): void {
  const { settings, source } = c;
  const fromFile = source !== null || (c.template & RuleFlag.FROM_FILE) !== 0;
  const shown = fromFile
    ? `<rule from ${source === null ? 'a file read earlier' : describeSource(source)}>`
    : shownPath;
  if (c.depth >= MAX_DEPTH) {
    const text = `[${settings.who}] merge-file include depth limit (${MAX_DEPTH}) exceeded at ${shown}`;
    if (c.fatal) throw new RsyncError(Exit.FILEIO, text);
    settings.report(text);
    return;
  }
  const content = readRules(path, c);
  if (content instanceof UnreadableRules) {
    if (!c.fatal) return;
    const what = `failed to open ${c.template & RuleFlag.INCLUDE ? 'in' : 'ex'}clude file`;
    if (fromFile) throw new RsyncError(Exit.FILEIO, `${what} ${shown}`);
    const { notice, reason } = content;
    throw new RsyncError(Exit.FILEIO, `${notice}rsync: [${settings.who}] ${what} ${path}: ${reason}`);
  }
  const words = (c.template & RuleFlag.WORDS) !== 0;
  const inner: RuleSource = {
    name: fromFile ? null : shownPath,
    namedAt: fromFile && source !== null ? describeSource(source) : '',
    line: 0,
  };
  const context: LoadContext = { ...c, source: inner, depth: c.depth + 1 };
  splitRules(
    content.toString('latin1'),
    words,
    settings.from0,
    (text, line) => {
      inner.line = line;
      loadText(text, out, context);
    },
    (line) => {
      inner.line = line;
      settings.report(`discarding over-long filter: ${shownText('', inner)}`);
    },
  );
}
