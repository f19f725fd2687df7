import type { ByteString } from '../../../protocol/options.js';

/**
 * A regular expression of sersync's filter as an rsync pattern, for the forms that its users write: `(.*)\.gz`, `^info/*`,
 * `(.*)/cache/(.*)`, `^(.*)~$`. Null for what has no equivalent.
 */
export function regexToPattern(expression: ByteString): ByteString | null {
  let text = expression.replace(/\(\.\*\)/g, '.*');
  const anchored = text.startsWith('^') && !text.startsWith('^.*');
  text = text.replace(/^\^/, '');
  text = text.replace(/\$$/, '');
  // In these files `dir/*` means what it means in a shell.
  const directory = /\/(\.?\*)?$/.test(text);
  text = text.replace(/\/(\.?\*)?$/, '');
  if (!anchored) text = text.replace(/^\.\*\/?/, (found) => (found.endsWith('/') ? '' : '*'));
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '\\' && i + 1 < text.length && /[^A-Za-z0-9]/.test(text[i + 1])) out += literal(text[++i]);
    else if (c === '.' && text[i + 1] === '*') {
      out += '*';
      i++;
    } else if (c === '.') out += '?';
    else if (c === '*' && out.endsWith('*')) continue;
    else if (c === '*' && i === 0) out += '*';
    else if (/[\\()[\]{}|+?*^$]/.test(c)) return null;
    else out += c;
  }
  if (out === '' || out === '*' || out === '?') return null;
  return (anchored ? '/' : '') + out + (directory ? '/' : '');
}

function literal(c: string): string {
  return /[*?[\\]/.test(c) ? `\\${c}` : c;
}
