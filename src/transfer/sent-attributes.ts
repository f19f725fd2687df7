import type { FilterList } from '../../protocol/filter/rules.js';
import { ExtrasEncoder } from '../../protocol/flist/extras.js';
import { Acls } from '../files/acls.js';
import type { Reporter } from '../files/report.js';
import { Xattrs } from '../files/xattrs.js';
import { RowAttributes } from '../sending/scan/row-attributes.js';
import type { Session } from '../session/session.js';
import { listWire } from './list-wire.js';
import { xattrNames } from './xattr-names.js';

/** What a sender has for attributes that travel besides the columns of its list. */
export interface SentAttributes {
  rows: RowAttributes;
  encoder: ExtrasEncoder;
  xattrs: Xattrs;
}

/** Null where nothing but columns travels. */
export function sentAttributes(
  session: Session,
  filters: FilterList,
  moduleFilters: FilterList | null,
  reporter: Reporter,
): SentAttributes | null {
  const { list, options: o } = session;
  if (!o.acls && o.xattrs === 0) return null;
  const names = xattrNames(session, filters, moduleFilters);
  const xattrs = new Xattrs(names, reporter);
  const encoder = new ExtrasEncoder(list, listWire(session), (name) => names.sent(name));
  return { rows: new RowAttributes(list, o, new Acls(o.fakeSuper, reporter), xattrs, names), encoder, xattrs };
}
