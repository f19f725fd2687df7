/**
 * A daemon's "refuse options" (rsyncd.conf(5)): words with the wildcards * ? [ ], a leading `!` to accept again, `a`
 * for everything that -a stands for. An exact name refuses every spelling of the same capability.
 */
import { OPTION_ROWS, type Row } from './option-table.js';

export interface Refusals {
  refused: ReadonlySet<Row>;
  /** Words that name no option: worth a line in the daemon's log. */
  unmatched: readonly string[];
}

interface Mark {
  refused: boolean;
  /** A wildcard may change it. */
  wild: boolean;
}

function sameCapability(a: Row, b: Row): boolean {
  const constant = (row: Row) => row.arg === 'none' && row.number !== undefined && row.action === undefined;
  if (constant(a) || constant(b)) return constant(a) && constant(b) && a.number === b.number && a.value === b.value;
  return a.arg === b.arg && a.number === b.number && a.text === b.text && a.action === b.action;
}

const cache = new Map<string, Refusals>();

/** Works out which rows a daemon refuses. `words` are those of "refuse options"; the built-in refusals are added. */
export function compileRefusals(words: readonly string[], charsetGiven = false): Refusals {
  const key = `${charsetGiven} ${words.join(' ')}`;
  let known = cache.get(key);
  if (known === undefined) {
    known = compile(words, charsetGiven);
    cache.set(key, known);
  }
  return known;
}

function compile(words: readonly string[], charsetGiven: boolean): Refusals {
  const marks: Mark[] = OPTION_ROWS.map((row) => ({ refused: false, wild: row.exactRefusalOnly !== true }));
  const unmatched: string[] = [];
  // Reading and writing devices must be allowed by name; a peer has no say in the daemon's log or in its own jail.
  const list = ['copy-devices', 'write-devices', ...words];
  if (!charsetGiven) list.push('iconv');
  list.push('log-file*', 'insecure-links', 'crtimes');
  for (const word of list) {
    const negated = word.length > 1 && word[0] === '!';
    const name = negated ? word.slice(1) : word;
    if (name !== '' && !markRows(marks, name, !negated)) unmatched.push(name);
  }
  return { refused: new Set(OPTION_ROWS.filter((_, i) => marks[i].refused)), unmatched };
}

function markRows(marks: Mark[], word: string, refused: boolean): boolean {
  const name = word === 'a' || word === 'archive' ? '[ardlptgoD]' : word;
  if (/[*?[]/.test(name)) {
    const pattern = wildcard(name);
    let found = false;
    OPTION_ROWS.forEach((row, i) => {
      if (!(row.long !== '' && pattern.test(row.long)) && !(row.short !== '' && pattern.test(row.short))) return;
      found = true;
      if (marks[i].wild) marks[i].refused = refused;
    });
    return found;
  }
  const target = OPTION_ROWS.find((row) => row.long === name || row.short === name);
  if (target === undefined) return false;
  OPTION_ROWS.forEach((row, i) => {
    if (row === target || sameCapability(row, target)) marks[i].refused = refused;
  });
  return true;
}

/** A file-name pattern as a regular expression; one that is malformed matches nothing. */
function wildcard(pattern: string): RegExp {
  const source = pattern.replace(/\[!?[^\]]*\]|[*?]|[^\w-]/g, (part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    if (part.length > 1) return part.replace(/\\/g, '\\\\').replace(/^\[!/, '[^');
    return `\\${part}`;
  });
  try {
    return new RegExp(`^${source}$`);
  } catch {
    return /^(?!)/;
  }
}
