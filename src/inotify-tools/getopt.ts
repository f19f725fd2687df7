import type { ByteString } from '../../protocol/options.js';

/** One option: its letter (for those without, a name that is no letter) and what it is called when written out. */
export interface OptionSpec {
  key: string;
  long: string;
  hasValue: boolean;
}

/** What a command line says: options in their order, and the other words. */
export interface Words {
  options: { key: string; value: ByteString }[];
  files: ByteString[];
}

/** A command line that cannot be understood; the message is for the user. */
export class UsageError extends Error {}

/** Splits a command line as getopt_long(3) does: options and files in any order, letters in groups, names shortened. */
export function getopt(args: readonly ByteString[], specs: readonly OptionSpec[], program: string): Words {
  const words: Words = { options: [], files: [] };
  for (let i = 0; i < args.length; i++) {
    const word = args[i];
    const next = (): ByteString | undefined => args[++i];
    if (word === '--') return { ...words, files: [...words.files, ...args.slice(i + 1)] };
    if (word.startsWith('--')) words.options.push(longOption(word, next, specs, program));
    else if (word.startsWith('-') && word !== '-') words.options.push(...letters(word, next, specs, program));
    else words.files.push(word);
  }
  return words;
}

function longOption(
  word: ByteString,
  next: () => ByteString | undefined,
  specs: readonly OptionSpec[],
  program: string,
) {
  const [, name, given] = /^--([^=]*)(?:=(.*))?$/s.exec(word) as RegExpExecArray;
  const fitting = specs.filter((spec) => spec.long.startsWith(name));
  const spec = specs.find((s) => s.long === name) ?? fitting[0];
  if (spec === undefined) throw new UsageError(`${program}: unrecognized option '--${name}'`);
  if (spec.long !== name && fitting.length > 1) {
    const list = fitting.map((s) => `'--${s.long}'`).join(' ');
    throw new UsageError(`${program}: option '--${name}' is ambiguous; possibilities: ${list}`);
  }
  if (!spec.hasValue) {
    if (given !== undefined) throw new UsageError(`${program}: option '--${spec.long}' doesn't allow an argument`);
    return { key: spec.key, value: '' };
  }
  const value = given ?? next();
  if (value === undefined) throw new UsageError(`${program}: option '--${spec.long}' requires an argument`);
  return { key: spec.key, value };
}

function letters(word: ByteString, next: () => ByteString | undefined, specs: readonly OptionSpec[], program: string) {
  const found: Words['options'] = [];
  for (let i = 1; i < word.length; i++) {
    const spec = specs.find((s) => s.key === word[i]);
    if (spec === undefined) throw new UsageError(`${program}: invalid option -- '${word[i]}'`);
    if (!spec.hasValue) {
      found.push({ key: spec.key, value: '' });
      continue;
    }
    const value = i + 1 < word.length ? word.slice(i + 1) : next();
    if (value === undefined) throw new UsageError(`${program}: option requires an argument -- '${word[i]}'`);
    found.push({ key: spec.key, value });
    break;
  }
  return found;
}
