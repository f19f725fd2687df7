import { Compat } from '../../protocol/constants.js';
import type { EntryDecoder } from '../../protocol/flist/decode.js';
import { createListDigest } from '../../protocol/hash/digest.js';
import type { ByteString } from '../../protocol/options.js';
import { AttributeSetter } from '../files/attrs.js';
import { Backup, type BackupOwner } from '../files/backup.js';
import { NewRights } from '../files/default-acl.js';
import { IdMap } from '../files/ids.js';
import { Root } from '../files/root.js';
import { openForReading, readText } from '../files/window.js';
import type { ListReceiver } from '../receiving/list-receiver.js';
import { Receiving, type ReceivingParts } from '../receiving/receiving.js';
import { strerror } from '../report/errno.js';
import { backedUp, defaultAclFault, idMapping, notBackingUp } from '../report/messages.js';
import type { Session } from '../session/session.js';
import { type Destination, type DestinationBase, joinPath } from './destination.js';
import { settleOptionDirs } from './module-paths.js';
import { checkPlaces } from './places.js';
import { problemReporter } from './problems.js';
import type { ReceivedAttributes } from './received-attributes.js';
import type { ReceivingInput } from './receiving-input.js';
import { actsAsRoot } from './xattr-names.js';

/** What the roles of a receiving side share, for a destination; null: the lists are only printed. */
export async function makeReceiving(
  session: Session,
  lists: ListReceiver,
  input: ReceivingInput,
  decoder: EntryDecoder,
  attributes: ReceivedAttributes | null,
  destination: Destination | null,
): Promise<Receiving> {
  const { options: o } = session;
  const isRoot = actsAsRoot(o);
  const { base } = input;
  const root = destination?.root ?? base.confined ?? Root.plain('.');
  const below = destination?.below ?? '';
  const hides = hiddenBelow(base.hides ?? null, below);
  if (destination?.missing && base.isModule !== true) o.basisDirs = besideMissing(o.basisDirs, destination.shown);
  const { basisDirs, backupDir, tempDir } = o;
  const asked = { basisDirs: [...basisDirs], backupDir, tempDir };
  if (base.isModule === true) {
    settleOptionDirs(o, below, base.hides ?? null);
    input.itemContext.directory = below;
  }
  // The path of a module that is no root of its own is nobody's business.
  const hidden = base.isModule === true && base.confined !== null;
  const shown = hidden ? (below === '' ? '' : `/${below}`) : (destination?.shown ?? '');
  const module = input.itemContext.module ?? null;
  const reporter = problemReporter(session, shown, module);
  const idOptions = input.idsByNumber ? { ...o, numericIds: true } : o;
  const { users, groups } = decoder;
  const names = { users, groups, id0Names: (session.compatFlags & Compat.ID0_NAMES) !== 0 };
  const ids = new IdMap(
    idOptions,
    isRoot,
    names,
    (text) => session.log.error(`${text}\n`),
    (o.debug.own ?? 0) >= 2 ? (...mapping) => session.log.info(idMapping(...mapping)) : null,
  );
  const receiver = problemReporter(session, shown, module, 'receiver');
  // Users and groups in access control lists are mapped whatever becomes of files' owners.
  const aclIds = () => new IdMap({ ...idOptions, owner: true, group: true }, true, names);
  const further = attributes?.rows({ generator: reporter, receiver }, aclIds) ?? null;
  const readFilter = {
    read: (path: ByteString) => (hides?.(path, false) ? null : readBelow(root, path)),
  };
  const receiving = new Receiving(session, lists, {
    root,
    ids,
    attrs: new AttributeSetter(o, ids, reporter, {
      isRoot,
      moduleChmod: input.moduleChmod,
      followsDirlinks: o.keepDirlinks && !root.isConfined,
      further,
    }),
    acls: further?.acls ?? null,
    xattrs: further?.xattrs ?? null,
    further: further?.further ?? null,
    backup: o.backup ? new Backup(root, o, isRoot, backupOwner(session, further?.copy)) : null,
    filters: input.filters,
    // On a daemon, absolute paths in rules start from the module.
    scope: input.filters.root(readFilter, base.isModule === true ? `/${below}` : (destination?.shown ?? '')),
    moduleHides: hides,
    listDigest: o.checksum ? await createListDigest(session.algorithms.listSum, session.sumContext) : null,
    newRights: new NewRights(root, process.umask(), (path, errno) => {
      // A dry run has not made its directories.
      if (!o.dryRun) session.log.warning(defaultAclFault(path, strerror(errno)));
    }),
    isRoot,
    localName: destination?.localName ?? null,
  });
  receiving.shownRoot = shown;
  receiving.below = below;
  receiving.module = module;
  if (destination !== null) checkPlaces(receiving, asked, base.innerRoot ?? null);
  return receiving;
}

/** A dry run has not made its destination `dest`, and the file system cannot go up from there: the text does it. */
function besideMissing(dirs: readonly ByteString[], dest: ByteString): ByteString[] {
  const parent = dest.replace(/\/[^/]*$/, '');
  return dirs.map((dir) => (dir.startsWith('../') ? `${parent}/${dir.slice(3)}` : dir));
}

/** What -v says of backups, and what their copies have besides. */
function backupOwner({ log, options: o }: Session, copyFurther?: BackupOwner['copyFurther']): BackupOwner {
  const owner: BackupOwner = { copyFurther };
  if ((o.info.backup ?? 0) >= 1) owner.onBackup = (from, to) => log.info(backedUp(from, to));
  if ((o.info.symsafe ?? 0) >= 1) owner.onUnsafe = (path, target) => log.info(notBackingUp(path, target));
  return owner;
}

/**
 * A module's filters for names below the destination, and for the directories that lead from there to them; absolute
 * names start from the module.
 */
function hiddenBelow(hides: DestinationBase['hides'] | null, below: ByteString): ReceivingParts['moduleHides'] {
  if (hides === null || hides === undefined) return null;
  return (path, isDir) => {
    if (path === '' || path === '.') return false;
    if (path.startsWith('/')) return hides(path.slice(1), isDir);
    const whole = joinPath(below, path).replace(/^\/+/, '');
    for (let at = whole.indexOf('/', below.length + 1); at > 0; at = whole.indexOf('/', at + 1)) {
      if (hides(whole.slice(0, at), true)) return true;
    }
    return hides(whole, isDir);
  };
}

function readBelow(root: Root, path: ByteString): Buffer | null {
  const { options } = root;
  return readText(() => openForReading(options === root ? root.path(path) : options.resolve(path)));
}
