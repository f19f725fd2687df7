import { KeptBytes } from '../../protocol/attributes/xattr-wire.js';
import type { FilterList } from '../../protocol/filter/rules.js';
import { ExtrasDecoder } from '../../protocol/flist/extras.js';
import type { ByteString } from '../../protocol/options.js';
import type { Reporter } from '../files/report.js';
import type { FileStat } from '../files/stat.js';
import { Xattrs } from '../files/xattrs.js';
import { RowXattrs } from '../receiving/row-xattrs.js';
import type { Session } from '../session/session.js';
import { xattrNames } from './xattr-names.js';

/** What a receiving side has for such attributes: they are decoded first, and dealt with when the destination is known. */
export interface ReceivedAttributes {
  decoder: ExtrasDecoder;
  /** Messages of both roles name files as their reporters do. */
  rows(generator: Reporter, receiver: Reporter): RowXattrs;
  /** Gives a backup that is a copy what its original has. */
  copier(reporter: Reporter): (from: Buffer, to: Buffer, st: FileStat, name: ByteString) => void;
}

/** Null where nothing but columns travels. */
export function receivedAttributes(
  session: Session,
  filters: FilterList,
  moduleFilters: FilterList | null,
): ReceivedAttributes | null {
  if (session.options.xattrs === 0) return null;
  const names = xattrNames(session, filters, moduleFilters);
  const kept = new KeptBytes();
  return {
    decoder: new ExtrasDecoder(session.list, (name) => names.received(name), kept),
    rows: (generator, receiver) =>
      new RowXattrs(session, new Xattrs(names, generator), new Xattrs(names, receiver), generator, kept),
    copier: (reporter) => {
      const xattrs = new Xattrs(names, reporter);
      return (from, to, st, name) => xattrs.copy(from, to, st, () => reporter.fullName(name));
    },
  };
}
