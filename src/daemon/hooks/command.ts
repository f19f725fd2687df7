import { Exit } from '../../../protocol/constants.js';
import { RsyncError } from '../../../protocol/errors.js';
import type { ByteString } from '../../../protocol/options.js';
import { type Env, referenceAt } from '../config/lex.js';

/**
 * What a shell could act on in a value. Quotes are right for one shell only, and a hook may start a second one
 * (`sh -c '... %VAR% ...'`), so that such a value is refused and not quoted.
 */
const ACTIVE = new Set('\'"`$\\;&|<>()*?[]# !~{}\x7f');

function isHarmless(value: ByteString): boolean {
  for (const char of value) if (char < ' ' || ACTIVE.has(char)) return false;
  return true;
}

/** Where in a shell's line a character stands. */
class Quoting {
  mark: "'" | '"' | '' = '';
  private escaped = false;

  pass(char: string): void {
    if (this.mark === "'") {
      if (char === "'") this.mark = '';
    } else if (this.escaped) this.escaped = false;
    else if (char === '\\') this.escaped = true;
    else if (this.mark === '"') {
      if (char === '"') this.mark = '';
    } else if (char === "'" || char === '"') this.mark = char;
  }
}

/**
 * A hook's command with its `%VAR%` replaced (rsyncd.conf(5)). Values of RSYNC_ variables, which come from clients, stand
 * in single quotes unless the command has put some around them; between double quotes they are seen, as with rsync.
 * Errors: exit code 4 for such a value that a shell could act on.
 */
export function expandCommand(text: ByteString, env: Env): ByteString {
  const quoting = new Quoting();
  let out = '';
  for (let at = 0; at < text.length; ) {
    const found = referenceAt(text, at, env);
    if (found === null) {
      quoting.pass(text[at]);
      out += text[at++];
      continue;
    }
    const { name, value, end } = found;
    out += name.startsWith('RSYNC_') ? quoted(name, value, quoting.mark) : value;
    at = end;
  }
  return out;
}

function quoted(name: string, value: ByteString, mark: Quoting['mark']): ByteString {
  if (!isHarmless(value)) {
    throw new RsyncError(Exit.UNSUPPORTED, `refusing to run shell hook: %${name}% holds a shell metacharacter`);
  }
  return mark === "'" ? value : `'${value}'`;
}
