import { type Acl, type AclTable, byId, hasAcl, safeMode, sameAcl } from '../../../protocol/attributes/acl.js';
import { S_IFDIR, S_IFMT } from '../../../protocol/constants.js';
import type { FileList } from '../../../protocol/flist/list.js';
import type { Rows } from '../../../protocol/flist/rows.js';
import type { Acls } from '../../files/acls.js';
import type { IdMap } from '../../files/ids.js';
import type { Reporter } from '../../files/report.js';
import { FileStat } from '../../files/stat.js';

const PERMISSIONS = 0o777;

/** Lists of one kind with the ids that their users and groups have here. */
class MappedAcls {
  private readonly mapped = new Map<number, Acl>();

  constructor(
    private readonly table: AclTable,
    private readonly ids: IdMap,
  ) {}

  at(number: number): Acl {
    let acl = this.mapped.get(number);
    if (acl === undefined) {
      acl = this.map(this.table.at(number));
      this.mapped.set(number, acl);
    }
    return acl;
  }

  private map(acl: Acl): Acl {
    if (acl.names.length === 0) return acl;
    const { ids } = this;
    const names = acl.names.map((entry) => ({ ...entry, id: entry.isUser ? ids.uid(entry.id) : ids.gid(entry.id) }));
    return { ...acl, names: names.sort(byId) };
  }
}

/** The access control lists of rows (-A) on the receiving side: compared, and set with the other attributes. */
export class RowAcls {
  private readonly access: MappedAcls;
  private readonly forNew: MappedAcls;

  constructor(
    list: FileList,
    private readonly acls: Acls,
    private readonly reporter: Pick<Reporter, 'fullName'>,
    ids: IdMap,
    private readonly isDryRun: boolean,
  ) {
    this.access = new MappedAcls(list.aclTable, ids);
    this.forNew = new MappedAcls(list.defaultAclTable, ids);
  }

  /** An access list with the ids of this side. */
  at(number: number): Acl {
    return this.access.at(number);
  }

  /** True when the file at `path`, whose state is `st`, has other lists than a row. */
  differ(list: FileList, row: number, path: Buffer, st: FileStat): boolean {
    if (list.isLink(row)) return false;
    const shown = () => this.reporter.fullName(list.path(row));
    const mode = list.mode(row);
    if (!this.hasAccess(list, row, path, st.mode, mode, shown)) return true;
    return list.isDir(row) && !this.hasDefault(list, row, path, mode, shown);
  }

  /**
   * The state of a file, which is `st` now, when its access list alone was set: that gives it permissions as well. rsync says of
   * such files what differs then.
   */
  afterwards(list: FileList, row: number, path: Buffer, st: FileStat): FileStat {
    const to = list.mode(row);
    if (this.acls.isFake || list.isLink(row)) return st;
    if (this.hasAccess(list, row, path, st.mode, to, () => this.reporter.fullName(list.path(row)))) return st;
    this.given.copyFrom(st);
    this.given.mode = (st.mode & ~PERMISSIONS) | (safeMode(st.mode, to) & PERMISSIONS);
    return this.given;
  }

  private readonly given = new FileStat();

  private hasAccess(list: Rows, row: number, path: Buffer, from: number, to: number, shown: () => string): boolean {
    const number = list.acl(row);
    if (number === 0) return true;
    const present = this.acls.read(path, 'ACCESS', from, shown);
    return present !== null && hasAcl(present, this.access.at(number), to);
  }

  private hasDefault(list: Rows, row: number, path: Buffer, mode: number, shown: () => string): boolean {
    const number = list.defaultAcl(row);
    if (number === 0) return true;
    const present = this.acls.read(path, 'DEFAULT', mode, shown);
    return present !== null && sameAcl(present, this.forNew.at(number));
  }

  /**
   * Gives a row's file of the mode `from` the lists of the row, as they are to be under the mode `to`, where it has others. What
   * fails is told. With --dry-run nothing is set, and what would be is said to have changed.
   */
  set(path: Buffer, list: Rows, row: number, from: number, to: number): AclChange {
    const shown = () => this.reporter.fullName(list.path(row));
    const change = { mode: from, hasChanged: false };
    if (!this.hasAccess(list, row, path, from, to, shown)) {
      const mode = this.isDryRun ? from : this.acls.setAccess(path, this.access.at(list.acl(row)), from, to, shown);
      if (mode < 0) return change;
      change.mode = mode;
      change.hasChanged = true;
    }
    if ((to & S_IFMT) === S_IFDIR && !this.hasDefault(list, row, path, to, shown)) {
      const isSet = this.isDryRun || this.acls.setDefault(path, this.forNew.at(list.defaultAcl(row)), shown);
      change.hasChanged = isSet || change.hasChanged;
    }
    return change;
  }
}

/** The mode of a file whose lists were set, and whether they had to be. */
export interface AclChange {
  mode: number;
  hasChanged: boolean;
}
