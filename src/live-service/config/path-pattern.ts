import { wildmatch } from '../../../protocol/filter/wildmatch.js';
import type { ByteString } from '../../../protocol/options.js';
import type { PathPattern } from './types.js';

/**
 * `/regex/` (with `i` behind it: without case), or a pattern with wildcards that is anchored as in rsync's rules: with a
 * leading slash at the source, else at any directory. What fits a directory fits all below it. Throws on a bad regex.
 */
export function pathPattern(text: ByteString): PathPattern {
  if (text === '') throw new Error('must not be empty');
  const regex = /^\/(.+)\/(i?)$/s.exec(text);
  if (regex !== null) {
    const compiled = new RegExp(regex[1], regex[2]);
    return { text, matches: (path) => compiled.test(path) };
  }
  const anchored = text.startsWith('/');
  const pattern = text.replace(/^\/|\/$/g, '');
  const depth = pattern.split('/').length;
  return { text, matches: (path) => prefixes(path).some((prefix) => fits(pattern, depth, anchored, prefix)) };
}

/** `a/b/c` as `a`, `a/b`, `a/b/c`. */
function prefixes(path: ByteString): ByteString[] {
  const all: ByteString[] = [];
  for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) all.push(path.slice(0, end));
  all.push(path);
  return all;
}

function fits(pattern: ByteString, depth: number, anchored: boolean, path: ByteString): boolean {
  if (anchored || pattern.includes('**'))
    return wildmatch(pattern, path) || (!anchored && wildmatch(`**/${pattern}`, path));
  // Without ** a pattern takes as many components as it has itself.
  return wildmatch(pattern, path.split('/').slice(-depth).join('/'));
}
