import fs from 'node:fs';

/** What the locale of the process says about printing. */
export interface Locale {
  /** True when the character set is UTF-8, false when it is ASCII (the C locale). */
  readonly utf8: boolean;
  /** Name of the character set. */
  readonly charset: string;
  /** What stands before the decimals, and what groups the digits in front of it. */
  readonly decimalPoint: '.' | ',';
  readonly groupSeparator: '.' | ',';
}

type Environment = Readonly<Record<string, string | undefined>>;

const LOCALE_DIR = '/usr/lib/locale';
/** Where the names lie in the archive's header: two 32-bit numbers, offset and length. */
const ARCHIVE_STRINGS_AT = 20;

/** The value that setlocale() would take for one category. */
function localeName(env: Environment, category: 'LC_CTYPE' | 'LC_NUMERIC'): string {
  return env.LC_ALL || env[category] || env.LANG || 'C';
}

/** Language and territory, character set, modifier. */
const LOCALE_NAME = /^(\w+)(?:\.([\w-]+))?(@\w+)?$/;

/** `de_DE.UTF-8` is stored as `de_DE.utf8`; null when the name is none. */
function storedName(name: string): string | null {
  const parts = LOCALE_NAME.exec(name);
  if (parts === null) return null;
  const [, language, charset, modifier = ''] = parts;
  const suffix = charset === undefined ? '' : `.${charset.toLowerCase().replace(/[^a-z0-9]/g, '')}`;
  return language + suffix + modifier;
}

function inArchive(stored: string): boolean {
  let fd = -1;
  try {
    fd = fs.openSync(`${LOCALE_DIR}/locale-archive`, 'r');
    const head = Buffer.alloc(ARCHIVE_STRINGS_AT + 8);
    fs.readSync(fd, head, 0, head.length, 0);
    const length = Math.min(head.readUInt32LE(ARCHIVE_STRINGS_AT + 4), 1 << 20);
    const strings = Buffer.alloc(length);
    fs.readSync(fd, strings, 0, length, head.readUInt32LE(ARCHIVE_STRINGS_AT));
    return strings.includes(`${stored}\0`, 0, 'latin1');
  } catch {
    return false;
  } finally {
    if (fd >= 0) fs.closeSync(fd);
  }
}

/** A locale that is not installed behaves like C, so a name alone does not tell. */
function isInstalled(name: string): boolean {
  const stored = storedName(name);
  if (stored === null) return false;
  if (stored === 'C.utf8' || stored === 'C' || stored === 'POSIX') return true;
  return fs.existsSync(`${LOCALE_DIR}/${stored}`) || inArchive(stored);
}

function decimalPointOf(name: string): '.' | ',' {
  const language = name.split(/[.@]/, 1)[0].replace('_', '-');
  if (language === 'C' || language === 'POSIX' || language.startsWith('en')) return '.';
  try {
    const parts = new Intl.NumberFormat(language).formatToParts(0.5);
    return parts.find((part) => part.type === 'decimal')?.value === ',' ? ',' : '.';
  } catch {
    return '.';
  }
}

/** Reads the locale out of environment variables. */
export function localeOf(env: Environment): Locale {
  const ctype = localeName(env, 'LC_CTYPE');
  const numeric = localeName(env, 'LC_NUMERIC');
  const utf8 = /\.utf-?8(@|$)/i.test(ctype) && isInstalled(ctype);
  const charset = utf8 ? 'UTF-8' : (isInstalled(ctype) && LOCALE_NAME.exec(ctype)?.[2]) || 'ASCII';
  const decimalPoint = isInstalled(numeric) ? decimalPointOf(numeric) : '.';
  return { utf8, charset, decimalPoint, groupSeparator: decimalPoint === '.' ? ',' : '.' };
}

let current: Locale | null = null;

/** The locale of this process, found out at the first call. */
export function locale(): Locale {
  current ??= localeOf(process.env);
  return current;
}
