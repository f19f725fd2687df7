import fs from 'node:fs';
import { Compat, NDX_DONE } from '../../protocol/constants.js';
import type { FilterList } from '../../protocol/filter/rules.js';
import { EntryDecoder } from '../../protocol/flist/decode.js';
import { type BlockDigest, createBlockDigest, createListDigest } from '../../protocol/hash/digest.js';
import type { ByteString } from '../../protocol/options.js';
import { AttributeSetter } from '../files/attrs.js';
import { Backup } from '../files/backup.js';
import { type ChmodRule, parseChmod } from '../files/chmod.js';
import { NewRights } from '../files/default-acl.js';
import { IdMap } from '../files/ids.js';
import { Root } from '../files/root.js';
import { openForReading } from '../files/window.js';
import { createFileReceiver } from '../receiving/create.js';
import type { FileReceiver } from '../receiving/file-receiver.js';
import { Generator } from '../receiving/generator.js';
import { Landing } from '../receiving/landing.js';
import type { ListGuard } from '../receiving/list-guard.js';
import { ListReceiver } from '../receiving/list-receiver.js';
import { Receiver } from '../receiving/receiver.js';
import { Receiving, type ReceivingParts } from '../receiving/receiving.js';
import { strerror } from '../report/errno.js';
import { deletedLine, type ItemContext, ItemFormat } from '../report/item.js';
import { backedUp, defaultAclFault, notBackingUp } from '../report/messages.js';
import type { Progress } from '../report/progress.js';
import { ItemLog, type TransferLog } from '../session/item-log.js';
import type { Session } from '../session/session.js';
import { type Destination, type DestinationBase, joinPath, openDestination } from './destination.js';
import { receiverGoodbye, receiveStatistics } from './goodbye.js';
import type { ListAnnouncer } from './list-announcer.js';
import { listWire } from './list-wire.js';
import { settleOptionDirs } from './module-paths.js';
import { checkPlaces } from './places.js';
import { problemReporter } from './problems.js';
import { type ReceivedAttributes, receivedAttributes } from './received-attributes.js';
import { actsAsRoot } from './xattr-names.js';

/** What a receiving side needs besides its session. */
export interface ReceivingInput {
  dest: ByteString;
  base: DestinationBase;
  filters: FilterList;
  /** A module's own filters, for extended attributes; those for names are in `base`. */
  moduleFilters: FilterList | null;
  /** A module's "incoming chmod". */
  moduleChmod: readonly ChmodRule[];
  itemContext: ItemContext;
  transferLog: TransferLog | null;
  progress: Progress | null;
  announcer: ListAnnouncer | null;
  /** The peer's ids are taken as they are, whatever names it gives them. */
  idsByNumber: boolean;
  /** Both ends are one process: whole files unless asked otherwise. */
  isLocal: boolean;
  /** Looks at the lists of the sender. */
  guard: ListGuard;
}

/** Runs the whole receiving side of a session, from the first list to the goodbye. */
export async function runReceivingSide(session: Session, input: ReceivingInput): Promise<void> {
  const { list, options: o, connection } = session;
  if (session.isServer && session.protocol < 29) tellDeletions(session, input.itemContext);
  const attributes = receivedAttributes(session, input.filters, input.moduleFilters);
  const decoder = new EntryDecoder(listWire(session), list, attributes?.decoder ?? null);
  const umask = process.umask();
  const chmod = session.isServer ? [] : o.chmod.flatMap((text) => parseChmod(text, umask));
  const lists = new ListReceiver(session, decoder, chmod, input.guard);
  connection.quiet = true;
  input.announcer?.start(session.incremental);
  if (!session.incremental) lists.onEntry = input.announcer?.counter ?? null;
  await session.awaitSeed();
  // Made while the sender looks for what it has: a mirror's sender waits for what comes after the list.
  const tools = await makeTools(session);
  await lists.readFirst();
  input.announcer?.end(session.incremental, list.count);
  connection.quiet = false;
  if (list.count === 0 && !session.isServer) {
    // The sender has nothing and goes; only the end of its lists may still stand in the stream (7.9).
    if (session.incremental) await lists.nextIndex();
    return;
  }
  const destination = o.listOnly ? null : await findDestination(session, input, lists);
  try {
    const receiving = await makeReceiving(session, lists, input, decoder, attributes, destination);
    session.inTransfer = true;
    await runTransfer(receiving, input, tools);
    session.inTransfer = false;
  } finally {
    destination?.root.close();
  }
  session.ndxOut.write(connection.writer, NDX_DONE);
  connection.flush();
  session.kernels.release();
}

/** Below protocol 29 a client is not told of deletions by a message of its own: the server prints the line for it. */
function tellDeletions(session: Session, context: ItemContext): void {
  const { options: o, log, onDeleted } = session;
  const format = o.serverLogFormat === '' ? null : new ItemFormat(o.serverLogFormat, context);
  session.onDeleted = (path, mode) => {
    onDeleted?.(path, mode);
    const line = deletedLine(path, mode, o, format);
    if (line !== '') log.client(line);
  };
}

/** A list of one entry says too little: the one that follows is waited for before the destination is judged (8.3). */
async function findDestination(session: Session, input: ReceivingInput, lists: ListReceiver): Promise<Destination> {
  if (session.incremental && session.list.count === 1) await lists.nextIndex();
  return openDestination(session, input.dest, input.base);
}

async function makeReceiving(
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
  const basisAsked = [...o.basisDirs];
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
  const namesId0 = (session.compatFlags & Compat.ID0_NAMES) !== 0;
  const ids = new IdMap(idOptions, isRoot, decoder.users, decoder.groups, namesId0, (text) =>
    session.log.error(`${text}\n`),
  );
  const receiver = problemReporter(session, shown, module, 'receiver');
  // Users and groups in access control lists are mapped whatever becomes of files' owners.
  const aclIds = () =>
    new IdMap({ ...idOptions, owner: true, group: true }, true, decoder.users, decoder.groups, namesId0);
  const further = attributes?.rows({ generator: reporter, receiver }, aclIds) ?? null;
  const readFilter = {
    read: (path: ByteString) => (hides?.(path, false) ? null : readBelow(root, path)),
  };
  const receiving = new Receiving(session, lists, {
    root,
    ids,
    attrs: new AttributeSetter(
      o,
      ids,
      isRoot,
      reporter,
      input.moduleChmod,
      o.keepDirlinks && !root.isConfined,
      further,
    ),
    acls: further?.acls ?? null,
    xattrs: further?.xattrs ?? null,
    backup: o.backup
      ? new Backup(root, o, isRoot, backupLine(session), unsafeLine(session), further?.copy ?? null)
      : null,
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
  if (destination !== null) checkPlaces(receiving, basisAsked);
  return receiving;
}

/** A dry run has not made its destination `dest`, and the file system cannot go up from there: the text does it. */
function besideMissing(dirs: readonly ByteString[], dest: ByteString): ByteString[] {
  const parent = dest.replace(/\/[^/]*$/, '');
  return dirs.map((dir) => (dir.startsWith('../') ? `${parent}/${dir.slice(3)}` : dir));
}

/** -vv: which file was kept under which name. */
function backupLine(session: Session): ((from: ByteString, to: ByteString) => void) | null {
  const { log, options: o } = session;
  if ((o.info.backup ?? 0) < 1) return null;
  return (from, to) => log.info(backedUp(from, to));
}

/** -v: which link was not kept. */
function unsafeLine(session: Session): ((path: ByteString, target: ByteString) => void) | null {
  const { log, options: o } = session;
  if ((o.info.symsafe ?? 0) < 1) return null;
  return (path, target) => log.info(notBackingUp(path, target));
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

/** Bytes of a filter file that are read. */
const MAX_FILTER_FILE = 64 * 1024 * 1024;

function readBelow(root: Root, path: ByteString): Buffer | null {
  let fd = -1;
  try {
    const { options } = root;
    fd = openForReading(options === root ? root.path(path) : options.resolve(path));
    const stat = fs.fstatSync(fd);
    return stat.isFile() && stat.size <= MAX_FILTER_FILE ? fs.readFileSync(fd) : null;
  } catch {
    return null;
  } finally {
    if (fd >= 0) fs.closeSync(fd);
  }
}

interface Tools {
  blockDigest: BlockDigest;
  files: FileReceiver;
}

async function makeTools(session: Session): Promise<Tools> {
  const blockDigest = await createBlockDigest(session.algorithms.transferSum, session.sumContext);
  return { blockDigest, files: await createFileReceiver(session) };
}

async function runTransfer(receiving: Receiving, input: ReceivingInput, tools: Tools): Promise<void> {
  const { session, lists } = receiving;
  const generator = new Generator(receiving, tools.blockDigest, input.isLocal);
  const itemLog = new ItemLog(session, input.itemContext, input.transferLog);
  generator.itemizer.localItem = (row, iflags, xname) =>
    itemLog.change({ list: session.list, row, iflags, xname: xname === null ? null : Buffer.from(xname) });
  const landing = new Landing(receiving, (lost) => receiver.takeAside(lost));
  const { files } = tools;
  const receiver: Receiver = new Receiver(receiving, lists, landing, files, itemLog, input.progress, (ndx, row, ok) =>
    generator.links.fileDone(ndx, row, ok),
  );
  const { connection } = session;
  // rsync has a process for each role, and its closing line names the one that ended the run.
  connection.role = 'receiver';
  try {
    // The receiver first, which sends what is there when it begins: so the first requests go with what follows them.
    const finishing = finishReceiving(session, lists, receiver);
    const generating = generator.run().catch((error) => {
      if (receiving.failure === null) connection.role = 'generator';
      throw error;
    });
    await together(receiving, generating, finishing);
    connection.role = 'generator';
  } finally {
    receiver.applyCounts();
  }
}

async function finishReceiving(session: Session, lists: ListReceiver, receiver: Receiver): Promise<void> {
  await receiver.run();
  if (!session.isServer) await receiveStatistics(session);
  await receiverGoodbye(session, lists);
}

/** Both roles run side by side; when one fails, the other one must not wait for it any longer. */
async function together(receiving: Receiving, ...roles: Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(
    roles.map((role) =>
      role.catch((error: Error) => {
        receiving.fail(error);
        throw error;
      }),
    ),
  );
  for (const result of results) if (result.status === 'rejected') throw receiving.failure ?? result.reason;
}
