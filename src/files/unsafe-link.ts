import type { ByteString } from '../../protocol/options.js';

/**
 * True for a link target that leads out of the tree that the link lies in (--copy-unsafe-links, --safe-links): absolute, or climbing
 * further than the link lies deep. Climbing behind another name counts as leaving, wherever that name leads.
 */
export function isUnsafeLink(target: ByteString, link: ByteString): boolean {
  if (target === '' || target.startsWith('/')) return true;
  const behindClimb = target.replace(/^(\.\.\/+)*/, '');
  if (behindClimb.includes('/../') || (target.length > 3 && target.endsWith('/..'))) return true;
  let depth = 0;
  const parents = link.split('/');
  parents.pop();
  for (const part of parents) {
    if (part === '..') depth = 0;
    else if (part !== '' && part !== '.') depth++;
  }
  const climb = target.split('/').filter((part) => part === '..').length;
  return climb > depth;
}
