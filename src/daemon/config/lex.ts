import type { ByteString } from '../../../protocol/options.js';

/** One statement of a configuration file, with the line it starts on. */
export type Statement =
  | { kind: 'section'; name: ByteString; line: number }
  | { kind: 'parameter'; name: ByteString; value: ByteString; line: number }
  | { kind: 'directive'; name: ByteString; value: ByteString; line: number }
  | { kind: 'fault'; text: ByteString; fatal: boolean; line: number };

const SPACE = /[ \t\r\v\f]/;
const EDGES = /^[ \t\r\n\v\f]+|[ \t\r\n\v\f]+$/g;
const RUNS = /[ \t\r\n\v\f]+/g;

/** A name with its outer white space dropped and each inner run made one space. */
function squeezed(text: ByteString): ByteString {
  return text.replace(EDGES, '').replace(RUNS, ' ');
}

/**
 * A physical line and what continues it. A line continues when its last character that is not white space is a
 * backslash; the backslash and what follows it vanish, while the white space in front of it and the next line's
 * indentation stay.
 */
function logicalLine(lines: readonly ByteString[], at: number): { text: ByteString; next: number } {
  let text = lines[at];
  let next = at + 1;
  for (;;) {
    const bare = text.replace(/[ \t\r\v\f]+$/, '');
    if (!bare.endsWith('\\') || next >= lines.length) return { text, next };
    text = bare.slice(0, -1) + lines[next++];
  }
}

function section(text: ByteString, line: number): Statement {
  const close = text.indexOf(']');
  if (close < 0)
    return { kind: 'fault', text: `Badly formed line in config file: ${squeezed(text)}`, fatal: true, line };
  const name = squeezed(text.slice(1, close));
  if (name === '') return { kind: 'fault', text: 'Empty section name in config file.', fatal: true, line };
  return { kind: 'section', name, line };
}

function parameter(text: ByteString, line: number): Statement {
  if (text.startsWith('&')) {
    const match = /^(&[^ \t=]*)[ \t]*=?([\s\S]*)$/.exec(text);
    return { kind: 'directive', name: (match?.[1] ?? text).toLowerCase(), value: trimValue(match?.[2] ?? ''), line };
  }
  const equals = text.indexOf('=');
  if (equals < 0) {
    return { kind: 'fault', text: `Ignoring badly formed line in config file: ${squeezed(text)}`, fatal: false, line };
  }
  const name = squeezed(text.slice(0, equals));
  if (name === '') return { kind: 'fault', text: 'Invalid parameter name in config file.', fatal: true, line };
  return { kind: 'parameter', name, value: trimValue(text.slice(equals + 1)), line };
}

/** Values lose their outer white space and every carriage return; what is inside stays. */
function trimValue(text: ByteString): ByteString {
  return text.replaceAll('\r', '').replace(EDGES, '');
}

/**
 * Cuts a configuration file into statements as rsyncd.conf(5) defines them: comments (`#`, `;`) and blank lines are
 * dropped, continued lines joined, a NUL ends the file. A fatal fault is the last statement.
 */
export function* statements(content: ByteString): Generator<Statement> {
  const nul = content.indexOf('\0');
  const lines = (nul < 0 ? content : content.slice(0, nul)).split('\n');
  let at = 0;
  while (at < lines.length) {
    const line = at + 1;
    let start = 0;
    // A stray backslash in front of a statement is skipped with the white space.
    while (start < lines[at].length && (SPACE.test(lines[at][start]) || lines[at][start] === '\\')) start++;
    const first = lines[at][start];
    if (first === undefined || first === '#' || first === ';') {
      at++;
      continue;
    }
    const { text, next } = logicalLine(lines, at);
    at = next;
    const statement = first === '[' ? section(text.slice(start), line) : parameter(text.slice(start), line);
    yield statement;
    if (statement.kind === 'fault' && statement.fatal) return;
  }
}

/** The form in which parameter names are compared: case and white space do not count. */
export function plainName(name: ByteString): string {
  return name.replace(RUNS, '').toLowerCase();
}

export type Env = Readonly<Record<string, string | undefined>>;

/** A `%VAR%` that stands for something. */
interface Reference {
  name: string;
  value: ByteString;
  /** Where the text goes on behind it. */
  end: number;
}

/** The reference that begins at `at`: its name starts with an upper-case letter, and there is such a variable. */
export function referenceAt(text: ByteString, at: number, env: Env): Reference | null {
  const close = text[at] === '%' && /[A-Z]/.test(text[at + 1] ?? '') ? text.indexOf('%', at + 1) : -1;
  const name = text.slice(at + 1, Math.max(at + 1, close));
  const value = close < 0 ? undefined : env[name];
  return value === undefined ? null : { name, value, end: close + 1 };
}

/** Replaces each `%VAR%` by the variable's value; what is no reference to a variable that exists stays as it is. */
export function expandVars(text: ByteString, env: Env): ByteString {
  if (!text.includes('%')) return text;
  let out = '';
  let at = 0;
  while (at < text.length) {
    const found = referenceAt(text, at, env);
    out += found === null ? text[at] : found.value;
    at = found === null ? at + 1 : found.end;
  }
  return out;
}
