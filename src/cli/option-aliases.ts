/**
 * A user's own options (popt(3), "ALIASING"): lines `rsync alias NAME WORD...` in /etc/popt, in the files of /etc/popt.d and
 * in ~/.popt. A name stands for its words wherever it is an option of a client; in these it has its first meaning again.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { CLIENT_INDEX } from './option-table.js';

export type Aliases = ReadonlyMap<ByteString, readonly ByteString[]>;

const PROGRAM = 'rsync';
/** Who decides what the program is at all is not to be changed. */
const FIXED = new Set(['--daemon', '--server']);

/** What the files of this machine and of the user say; the last line about a name counts. */
export function readAliases(home: string | undefined, system = '/etc'): Aliases {
  const aliases = new Map<ByteString, readonly ByteString[]>();
  let others: string[] = [];
  try {
    others = readdirSync(`${system}/popt.d`).sort();
  } catch {}
  const files = [`${system}/popt`, ...others.map((name) => `${system}/popt.d/${name}`)];
  if (home) files.push(`${home}/.popt`);
  for (const file of files) {
    let text = '';
    try {
      text = readFileSync(file, 'latin1');
    } catch {}
    if (text.includes(PROGRAM)) addAliases(aliases, text);
  }
  return aliases;
}

function addAliases(aliases: Map<ByteString, readonly ByteString[]>, text: string): void {
  for (const line of text.replaceAll('\\\n', '').split('\n')) {
    if (/^\s*#/.test(line)) continue;
    const [program, kind, name, ...words] = splitWords(line);
    if (program !== PROGRAM || kind !== 'alias' || !/^-(?:-.+|[^-])$/s.test(name ?? '') || FIXED.has(name)) continue;
    aliases.set(
      name,
      words.filter((word) => !/^--POPT(?:desc|args)=/.test(word)),
    );
  }
}

/** Words of a line; quotes of either kind keep blanks, a backslash takes the character behind it as it is. */
function splitWords(line: string): ByteString[] {
  const words: ByteString[] = [];
  for (const match of line.matchAll(/(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])+/g)) {
    words.push(match[0].replace(/\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'/g, plain));
  }
  return words;
}

const plain = (_: string, escaped?: string, double?: string, single?: string): string =>
  escaped ?? single ?? double!.replace(/\\(.)/g, '$1');

/** The words of a command line with those that aliases stand for. */
export function expandAliases(argv: readonly ByteString[], aliases: Aliases): ByteString[] {
  const out: ByteString[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i];
    if (word === '--') return out.concat(argv.slice(i));
    let takesNext = false;
    if (word.length < 2 || word[0] !== '-') out.push(word);
    else if (word[1] === '-') takesNext = expandLong(word, aliases, out);
    else takesNext = expandLetters(word, aliases, out);
    if (takesNext && i + 1 < argv.length) out.push(argv[++i]);
  }
  return out;
}

/** The words of an alias, in which it is none itself. */
function wordsOf(name: ByteString, aliases: Aliases): ByteString[] {
  const others = new Map(aliases);
  others.delete(name);
  return expandAliases(aliases.get(name)!, others);
}

/** Puts a `--long` word; returns whether the next word is its value. */
function expandLong(word: ByteString, aliases: Aliases, out: ByteString[]): boolean {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word : word.slice(0, equals);
  if (!aliases.has(name)) {
    out.push(word);
    return equals < 0 && (CLIENT_INDEX.get(name)?.arg ?? 'none') !== 'none';
  }
  out.push(...wordsOf(name, aliases));
  if (equals >= 0) out.push(word.slice(equals + 1));
  return false;
}

/** The same for a word of letters. */
function expandLetters(word: ByteString, aliases: Aliases, out: ByteString[]): boolean {
  for (let at = 1; at < word.length; at++) {
    const name = `-${word[at]}`;
    const row = CLIENT_INDEX.get(name);
    if (aliases.has(name)) {
      out.push(...wordsOf(name, aliases));
    } else if (row !== undefined && row.arg === 'none' && word[at + 1] !== '=') {
      out.push(name);
    } else {
      out.push(`-${word.slice(at)}`);
      return row !== undefined && at + 1 === word.length;
    }
  }
  return false;
}
