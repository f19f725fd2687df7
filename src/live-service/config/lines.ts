import ini from 'ini';
import type { ByteString } from '../../../protocol/options.js';

/** A place in a configuration file. */
export interface Place {
  file: string;
  /** From 1. */
  line: number;
}

export interface Entry {
  /** Lower case, words parted by one space. */
  key: string;
  value: ByteString;
  place: Place;
}

/** A run of entries under one header; the first has kind '' and holds what stands above all headers. */
export interface Section {
  kind: string;
  name: string;
  place: Place;
  entries: Entry[];
}

/** Everything that is wrong with a configuration, one text a line. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
  }
}

export function at(place: Place, text: string): string {
  return place.line === 0 ? `${place.file}: ${text}` : `${place.file}:${place.line}: ${text}`;
}

/** Key names ignore case, and dashes, underscores and spaces are the same. */
function normalKey(text: string): string {
  return text
    .toLowerCase()
    .split(/[\s_-]+/)
    .filter((word) => word !== '')
    .join(' ');
}

/**
 * Where a comment begins inside of a line: at a `#` or `;` after a space and outside of quotes, as a shell has it. The
 * `ini` package cuts at every one of them, which would take the half of `--exclude=#*#`.
 */
function commentStart(text: string): number {
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quote !== '') {
      if (c === '\\' && quote === '"') i++;
      else if (c === quote) quote = '';
    } else if (c === '\\') {
      i++;
    } else if (c === '"' || c === "'") {
      // A quote inside of a word is an apostrophe when nothing ends it.
      if (text.indexOf(c, i + 1) > 0) quote = c;
    } else if ((c === '#' || c === ';') && i > 0 && /\s/.test(text[i - 1])) {
      return i;
    }
  }
  return text.length;
}

/** True for `"…"` as one whole: such a value is unwrapped; `"a" "b"` is two words of an option line and stays. */
function isOneString(text: string): boolean {
  return /^"(?:[^"\\]|\\.)*"$/.test(text);
}

/** The value behind the `=`, without comment and outer quotes. */
function decodeValue(raw: string): ByteString {
  const text = raw.slice(0, commentStart(raw)).trim();
  if (!isOneString(text)) return text;
  const value = ini.unsafe(text);
  return /[^\x00-\xff]/.test(value) ? Buffer.from(value).toString('latin1') : value;
}

/** A value as it has to be written to be read back as the same. */
export function encodeValue(value: ByteString): string {
  const plain = value === value.trim() && commentStart(value) === value.length && !isOneString(value);
  return plain && !/[\r\n]/.test(value) ? value : JSON.stringify(value);
}

function decodeHeader(text: string): { kind: string; name: string } | null {
  const m = /^\[\s*([A-Za-z]+)(?:\s+([^\]]*?))?\s*\]\s*(?:[#;].*)?$/.exec(text);
  return m && { kind: m[1].toLowerCase(), name: ini.unsafe(m[2] ?? '') };
}

/**
 * Reads INI text. Sections stay in their order and may occur several times, and every entry knows its line: therefore
 * the `ini` package gets single values and not the whole file. Lines that are neither header, entry nor comment throw.
 */
export function readLines(text: ByteString, file: string): Section[] {
  const sections: Section[] = [{ kind: '', name: '', place: { file, line: 1 }, entries: [] }];
  const problems: string[] = [];
  text.split(/\r\n|\n|\r/).forEach((whole, i) => {
    const place = { file, line: i + 1 };
    const line = (i === 0 ? whole.replace(/^\xef\xbb\xbf/, '') : whole).trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) return;
    if (line.startsWith('[')) {
      const header = decodeHeader(line);
      if (header === null) problems.push(at(place, `not a section header: ${line}`));
      else sections.push({ ...header, place, entries: [] });
      return;
    }
    const equals = line.indexOf('=');
    if (equals <= 0) problems.push(at(place, `neither "key = value" nor "[section]": ${line}`));
    else {
      const key = normalKey(line.slice(0, equals));
      sections[sections.length - 1].entries.push({ key, value: decodeValue(line.slice(equals + 1)), place });
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return sections;
}
