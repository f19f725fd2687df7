import { XattrNames } from '../../protocol/attributes/xattr-names.js';
import type { FilterList } from '../../protocol/filter/rules.js';
import type { Options } from '../../protocol/options.js';
import type { Session } from '../session/session.js';

/** --super and --no-super; with --fake-super everything can be kept that only root may give to a file. */
export function actsAsRoot({ fakeSuper, superUser }: Options): boolean {
  return fakeSuper || (superUser < 0 ? process.geteuid?.() === 0 : superUser > 0);
}

/** Which extended attributes take part in a session. Rules for them, of the transfer or of a module, replace the usual choice. */
export function xattrNames(session: Session, filters: FilterList, moduleFilters: FilterList | null): XattrNames {
  const { options: o, isSender } = session;
  const lists = [moduleFilters, filters].filter((list) => list !== null);
  const hasRules = lists.some((list) => list.hasXattrRules);
  return new XattrNames({
    isSender,
    rootLevel: o.fakeSuper ? -1 : actsAsRoot(o) ? 1 : 0,
    level: o.xattrs,
    verdict: hasRules ? (name) => (lists.some((list) => list.xattrVerdict(name) < 0) ? -1 : 0) : null,
  });
}
