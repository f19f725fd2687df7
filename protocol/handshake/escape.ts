/**
 * How arguments are written for the remote shell or the daemon that they pass through (1.4, 1.6), and what a daemon makes of
 * them. Pure: argument bytes in and out.
 */
import type { ByteString, Options } from '../options.js';

const SHELL_CHARS = '!#$&;|<>(){}"\'` \t\n\r\\';
const WILD_CHARS = '*?[]';

/** Escapes an option's value (1.4): every character that a shell or a wildcard expansion would look at. */
export function escapeOption(arg: ByteString): ByteString {
  return addEscapes(arg, SHELL_CHARS + WILD_CHARS, false);
}

export interface PathEscapeContext {
  /** The client receives: a `~` that the sender's list may not expand to is guarded unless the sender is trusted. */
  pull?: boolean;
  local?: boolean;
  filesFromRemote?: ByteString;
}

/** Makes a path fit for the server's command line: wildcards stay alive, a leading `-` gets `./` in front. */
export function escapePath(
  arg: ByteString,
  o: Pick<Options, 'oldArgs' | 'secludedArgs' | 'trustSender' | 'relative'>,
  context: PathEscapeContext = {},
): ByteString {
  const dash = arg.startsWith('-') ? './' : '';
  if (o.secludedArgs || o.oldArgs > 0 || context.local) return dash + arg;
  const trusted = o.trustSender || context.filesFromRemote !== undefined;
  const guarded = context.pull === true && !trusted && arg.startsWith('~');
  const bare = !arg.includes('/') || (o.relative && !arg.includes('/./'));
  return dash + (guarded && bare ? '\\' : '') + addEscapes(arg, SHELL_CHARS, true);
}

function addEscapes(arg: ByteString, chars: string, keepWildEscapes: boolean): ByteString {
  let out = '';
  for (let i = 0; i < arg.length; i++) {
    const ch = arg[i];
    const next = arg[i + 1];
    const escapesWild = ch === '\\' && keepWildEscapes && next !== undefined && WILD_CHARS.includes(next);
    if (chars.includes(ch) && !escapesWild) out += '\\';
    out += ch;
  }
  return out;
}

/** Takes one level of backslashes from an option word that a client sent to a daemon (1.6 step 6). */
export function unescapeDaemonOption(arg: ByteString): ByteString {
  return arg.includes('\\') ? arg.replace(/\\(.)/gs, '$1') : arg;
}

/**
 * Path words of a client of a daemon, relative to the module: the module's name and the slashes behind it go, and
 * unless the arguments came secluded a word is split at each ` module/` (1.6). Wildcards are left for the caller, who
 * knows the disk. '' is the module itself.
 */
export function splitDaemonPaths(args: readonly ByteString[], module: string, secluded = false): ByteString[] {
  const paths: ByteString[] = [];
  const separator = ` ${module}/`;
  for (const arg of args) {
    const path = arg.startsWith(module) ? arg.slice(module.length) : arg;
    for (const part of secluded ? [path] : path.split(separator)) paths.push(part.replace(/^\/+/, ''));
  }
  return paths;
}

/** Paths as a client sends them to a daemon: `module` as `module/`, no accidental split, no leading dash (1.6). */
export function daemonPath(path: ByteString, module: string, o: Pick<Options, 'oldArgs'>): ByteString {
  if (path === module) return `${module}/`;
  const whole = o.oldArgs > 0 ? path : path.replaceAll(` ${module}/`, `[ ]${module}/`);
  return whole.startsWith('-') ? `./${whole}` : whole;
}
