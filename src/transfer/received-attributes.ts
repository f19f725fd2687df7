import { NO_ACL } from '../../protocol/attributes/acl.js';
import { KeptBytes } from '../../protocol/attributes/xattr-wire.js';
import type { FilterList } from '../../protocol/filter/rules.js';
import { ExtrasDecoder } from '../../protocol/flist/extras.js';
import type { ByteString } from '../../protocol/options.js';
import { Acls } from '../files/acls.js';
import type { FurtherAttributes } from '../files/attrs.js';
import { FoundAttributes } from '../files/found-attributes.js';
import type { IdMap } from '../files/ids.js';
import type { Reporter } from '../files/report.js';
import type { FileStat } from '../files/stat.js';
import { Xattrs } from '../files/xattrs.js';
import { RowAcls } from '../receiving/attributes/row-acls.js';
import { RowFurther } from '../receiving/attributes/row-further.js';
import { RowXattrs } from '../receiving/attributes/row-xattrs.js';
import type { Session } from '../session/session.js';
import { listWire } from './list-wire.js';
import { xattrNames } from './xattr-names.js';

/** Permissions in lists that are set, and in those that are only stored. */
const MAX_ACCESS = 7;
const MAX_STORED = 0x1fff_ffff;

/** Messages of both roles name files as their reporters do. */
interface Reporters {
  generator: Reporter;
  receiver: Reporter;
}

/** What deals with such attributes when the destination is known. */
export interface RowsOfAttributes extends FurtherAttributes {
  acls: RowAcls | null;
  xattrs: RowXattrs | null;
  /** Compares many files. */
  further: RowFurther;
  /** Gives a backup that is a copy what its original has. */
  copy(from: Buffer, to: Buffer, st: FileStat, name: ByteString): void;
}

/** What a receiving side has for attributes that travel besides the columns of a list. */
export interface ReceivedAttributes {
  decoder: ExtrasDecoder;
  /** `ids` maps those of users and groups in access control lists. */
  rows(reporters: Reporters, ids: () => IdMap): RowsOfAttributes;
}

/** Null where nothing but columns travels. */
export function receivedAttributes(
  session: Session,
  filters: FilterList,
  moduleFilters: FilterList | null,
): ReceivedAttributes | null {
  const { list, options: o } = session;
  if (!o.acls && o.xattrs === 0) return null;
  const names = xattrNames(session, filters, moduleFilters);
  const kept = new KeptBytes();
  const maxAccess = o.fakeSuper ? MAX_STORED : MAX_ACCESS;
  return {
    decoder: new ExtrasDecoder(list, listWire(session), (name) => names.received(name), maxAccess, kept),
    rows: ({ generator, receiver }, ids) => {
      const aclFiles = new Acls(o.fakeSuper, generator);
      const xattrFiles = new Xattrs(names, generator);
      const acls = o.acls ? new RowAcls(list, aclFiles, generator, ids(), o.dryRun) : null;
      const xattrs =
        o.xattrs > 0 ? new RowXattrs(session, xattrFiles, new Xattrs(names, receiver), generator, kept) : null;
      const known = {
        acl: (number: number) => acls?.at(number) ?? NO_ACL,
        xattrs: (number: number) => list.xattrTable.at(number),
      };
      return {
        acls,
        xattrs,
        further: new RowFurther(list, known, () => new FoundAttributes(o.acls, o.xattrs > 0 ? names : null)),
        setXattrs: (path, row, st) => xattrs?.setXattrs(path, row, st),
        setAcls: (path, rows, row, from, to) =>
          acls?.set(path, rows, row, from, to) ?? { mode: from, hasChanged: false },
        copy: (from, to, st, name) => {
          const shown = () => generator.fullName(name);
          if (o.xattrs > 0) xattrFiles.copy(from, to, st, shown);
          if (o.acls && !st.isLink) aclFiles.copy(from, to, st.isDir, shown);
        },
      };
    },
  };
}
