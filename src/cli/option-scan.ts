/**
 * Reads a command line the way rsync's option library (popt) does: options and arguments may be mixed, `--` ends the
 * options, `-` alone is an argument, letters may be bundled, a value is the rest of the word (one `=` in front is
 * dropped) or the next word, long names are never abbreviated, and what comes later overrules what came before.
 */
import type { ByteString } from '../../protocol/options.js';
import { ACTIONS } from './option-actions.js';
import type { Settings } from './option-settings.js';
import type { OptionIndex, Row } from './option-table.js';
import { parseInteger } from './option-values.js';

/** A word that breaks the rules: the caller puts its own words around `text`. */
export class ScanError extends Error {
  constructor(readonly text: string) {
    super(text);
  }
}

/** Called with each option before it takes effect; may throw, or return true to end the scan. */
export type OnOption = (row: Row) => boolean;

/** Takes each option with its value: the row, the text ('' when the option has none) and the word it came from. */
type Take = (row: Row, value: string, word: string) => void;

/** Scans `argv` into `settings`; returns false when `before` ended the scan. */
export function scanOptions(
  argv: readonly ByteString[],
  index: OptionIndex,
  settings: Settings,
  before: OnOption,
): boolean {
  return walk(argv, index, settings.args, before, (row, value, word) => applyRow(settings, row, value, word));
}

/** The walk over the words, apart from what an option does. */
export function walk(
  argv: readonly ByteString[],
  index: OptionIndex,
  args: ByteString[],
  before: OnOption,
  take: Take,
): boolean {
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i];
    if (word.length < 2 || word.charCodeAt(0) !== 0x2d) {
      args.push(word);
      continue;
    }
    if (word === '--') {
      for (i++; i < argv.length; i++) args.push(argv[i]);
      return true;
    }
    if (word.charCodeAt(1) === 0x2d) {
      const equals = word.indexOf('=');
      const row = index.get(equals < 0 ? word : word.slice(0, equals));
      if (row === undefined) throw new ScanError(`${word}: unknown option`);
      if (row.arg === 'none') {
        if (equals >= 0) throw new ScanError(`${word}: option does not take an argument`);
        if (before(row)) return false;
        take(row, '', word);
        continue;
      }
      if (equals < 0 && i + 1 === argv.length) throw new ScanError(`${word}: missing argument`);
      if (before(row)) return false;
      if (equals >= 0) take(row, word.slice(equals + 1), word);
      else take(row, argv[++i], argv[i]);
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const row = index.get(`-${word[at]}`);
      if (row === undefined) throw new ScanError(`${word}: unknown option`);
      const rest = word.slice(at + 1);
      if (row.arg === 'none') {
        if (rest.startsWith('=')) throw new ScanError(`${word}: option does not take an argument`);
        if (before(row)) return false;
        take(row, '', word);
        continue;
      }
      if (rest === '' && i + 1 === argv.length) throw new ScanError(`${word}: missing argument`);
      if (before(row)) return false;
      if (rest !== '') take(row, rest.startsWith('=') ? rest.slice(1) : rest, word);
      else take(row, argv[++i], argv[i]);
      break;
    }
  }
  return true;
}

function applyRow(s: Settings, row: Row, value: string, word: string): void {
  if (row.number !== undefined) {
    if (row.arg === 'int') {
      const n = parseInteger(value);
      if (typeof n === 'string') throw new ScanError(`${word}: ${n}`);
      s[row.number] = n;
    } else {
      s[row.number] = row.value as number;
    }
  } else if (row.text !== undefined) {
    s[row.text] = value as never;
  }
  if (row.action !== undefined) ACTIONS[row.action](s, value);
}
