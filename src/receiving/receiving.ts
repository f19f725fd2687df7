import { Msg } from '../../protocol/constants.js';
import type { FilterList, FilterScope } from '../../protocol/filter/rules.js';
import type { Segment } from '../../protocol/flist/list.js';
import type { Digest } from '../../protocol/hash/digest.js';
import type { ByteString } from '../../protocol/options.js';
import type { AttributeSetter } from '../files/attrs.js';
import type { Backup } from '../files/backup.js';
import type { NewRights } from '../files/default-acl.js';
import type { IdMap } from '../files/ids.js';
import { destMode } from '../files/modes.js';
import type { Root } from '../files/root.js';
import { fullName } from '../report/messages.js';
import type { Session } from '../session/session.js';
import type { RowAcls } from './attributes/row-acls.js';
import type { RowFurther } from './attributes/row-further.js';
import type { RowXattrs } from './attributes/row-xattrs.js';
import type { ListReceiver } from './list-receiver.js';
import { Replay } from './replay.js';

export interface ReceivingParts {
  /** The destination. Absolute paths, which only options name, start from the root of a module or of the system. */
  root: Root;
  ids: IdMap;
  attrs: AttributeSetter;
  backup: Backup | null;
  filters: FilterList;
  /** Scope of the transfer root, for deletions. */
  scope: FilterScope;
  /** A module's own filters, for names below the destination and absolute ones; null when there are none. */
  moduleHides: ((path: ByteString, isDir: boolean) => boolean) | null;
  listDigest: Digest | null;
  newRights: NewRights;
  /** Null without -A and -X. */
  acls: RowAcls | null;
  xattrs: RowXattrs | null;
  further: RowFurther | null;
  isRoot: boolean;
  /** A single file is written under this name instead of its own (destination is not a directory). */
  localName: ByteString | null;
}

/** What generator and receiver share on the receiving side. */
export class Receiving {
  /** Indexes whose data did not match its checksum, to be asked for again. */
  readonly redo: number[] = [];
  /** Number of NDX_DONE answers that ended a phase (13.1). */
  phasesDone = 0;
  /** NDX_DONEs that were sent and not answered: the sender may not end what this side has not ended. */
  donesOpen = 0;
  /** Below protocol 29 a sender does not repeat which basis (9.5) was used for an index: those that are not the file itself. */
  readonly untoldBasis = new Map<number, number>();
  /** null: a sender answers. */
  readonly replay: Replay | null;
  /** Why one of the roles ended early; the other one must not wait for it. */
  failure: Error | null = null;

  /** Told of new files that are asked for in a run: its first row, and how many they are. */
  onAsked: ((row: number, count: number) => void) | null = null;
  /** Told about every file that is in its place or lost; `ok` is false when it failed for good. */
  onFileDone: ((ndx: number, row: number, ok: boolean) => void) | null = null;
  /** Told when a directory was made that was not there. */
  onMade: (() => void) | null = null;

  constructor(
    readonly session: Session,
    readonly lists: ListReceiver,
    readonly parts: ReceivingParts,
  ) {
    this.replay = session.replays ? new Replay(this) : null;
  }

  fail(error: Error): void {
    this.failure ??= error;
    this.session.connection.fail(error);
    this.lists.changed.raise();
    this.replay?.notice();
  }

  /** Where a row belongs below the destination, as a byte string. */
  relativePath(row: number): ByteString {
    const { localName } = this.parts;
    return localName !== null && row === 0 ? localName : this.session.list.path(row);
  }

  /** The same as a path for file calls. */
  destPath(row: number): Buffer {
    const { list } = this.session;
    const { root, localName } = this.parts;
    if (localName !== null) return root.path(this.relativePath(row));
    const at = list.offsetOf(row);
    return root.dir(list.dirPath(row)).at(list.arenaOf(row), at, at + list.lengthOf(row));
  }

  /** A row's name as messages show it. */
  shownName(row: number): string {
    return this.session.list.path(row);
  }

  /** A path of the destination as error messages show it: whole, in quotes, with a daemon's module. */
  fullName(relative: ByteString): ByteString {
    return fullName(relative === '' ? '.' : relative, this.shownRoot, this.module);
  }

  /** Name of the module that a daemon writes into. */
  module: ByteString | null = null;

  /** Name of the destination directory as `fullName` wants it; set when it is known. */
  shownRoot: ByteString = '';
  /** Path of the destination below a module's root, '' for that itself. */
  below: ByteString = '';

  /** True when items are printed as such (-i), so that nothing else need be said about them. */
  get printsItems(): boolean {
    const { options: o, isServer } = this.session;
    return (isServer ? o.serverLogFormat : (o.outFormat ?? '')).includes('%i');
  }

  /** Without -p a row's permissions are those that its file has or, when it is new, the source's as far as its directory lets. */
  settleMode(row: number, st: { mode: number } | null): void {
    const { list, options: o } = this.session;
    if (o.perms) return;
    const rights = st === null ? this.parts.newRights.of(list.dirPath(row)) : 0;
    list.setMode(row, destMode(list.mode(row), st?.mode ?? null, st === null, o, rights));
  }

  /** --remove-source-files: what is no directory and in its place may go on the other side. */
  tellSuccess(ndx: number, row: number): void {
    const { session } = this;
    const { list, options: o } = session;
    if (o.removeSourceFiles && !list.isDir(row) && !o.dryRun) session.sendNumber(Msg.SUCCESS, ndx);
  }

  /** The list of an index, which must not have ended. */
  listOf(ndx: number): Segment {
    return this.session.list.segments.of(ndx) as Segment;
  }
}
