import { IoError, NDX_DONE } from '../../protocol/constants.js';
import { EntryDecoder } from '../../protocol/flist/decode.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { parseChmod } from '../files/chmod.js';
import { ListReceiver } from '../receiving/list-receiver.js';
import { deletedLine, type ItemContext, ItemFormat } from '../report/item.js';
import { cannotConvertName, cannotConvertTarget, fullName } from '../report/messages.js';
import type { Session } from '../session/session.js';
import { type Destination, openDestination, openExisting } from './destination.js';
import { listWire } from './list-wire.js';
import { makeReceiving } from './make-receiving.js';
import { receivedAttributes } from './received-attributes.js';
import type { ReceivingInput } from './receiving-input.js';
import { makeTools, ReceivingRoles } from './receiving-roles.js';

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
  // All of this is made while the sender looks for what it has: a mirror's sender waits for what comes after the list.
  const tools = await makeTools(session);
  list.prepare();
  const make = async (to: Destination | null) =>
    new ReceivingRoles(await makeReceiving(session, lists, input, decoder, attributes, to), input, tools);
  const found = mayOpenAhead(o) ? openExisting(session, input.dest, input.base) : null;
  let destination: Destination | null = found;
  decoder.onUnnamed = (name, target) => {
    const { cwd, module = null } = input.base;
    const shown = target === null ? name : fullName(name, destination?.shown ?? (module === null ? cwd : ''), module);
    tellUnnamed(session, shown, target);
  };
  try {
    let roles = found && (await make(found));
    await lists.readFirst();
    input.announcer?.end(session.incremental, list.count);
    connection.quiet = false;
    if (list.count === 0 && !session.isServer) {
      // The sender has nothing and goes; only the end of its lists may still stand in the stream (7.9).
      if (session.incremental) await lists.nextIndex();
      return;
    }
    if (roles === null || !found?.confirm()) {
      destination = o.listOnly ? null : await findDestination(session, input, lists);
      roles = await make(destination);
    }
    session.inTransfer = true;
    await roles.run();
    session.inTransfer = false;
  } finally {
    destination?.root.close();
  }
  session.ndxOut.write(connection.writer, NDX_DONE);
  connection.flush();
  session.kernels.release();
}

/** --iconv: an entry that there cannot be here. Nothing is deleted then, as with any error in a list. */
function tellUnnamed(session: Session, name: ByteString, target: ByteString | null): void {
  const { log, charset, inTransfer } = session;
  session.ioError |= IoError.GENERAL;
  const who = inTransfer ? 'receiver' : 'Receiver';
  const fault = charset!.fault(target ?? name);
  if (target !== null) log.xferError(cannotConvertTarget(who, name, fault));
  else if (log.quotingError === undefined) log.xferError(cannotConvertName(who, name, fault));
  else log.quotingError(cannotConvertName(who, name, fault));
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

/**
 * A destination that is there already may be opened before the list has come, unless options name other places too, which
 * are looked at with it: a mirror's connection may wait for hours.
 */
function mayOpenAhead(o: Options): boolean {
  const hasPlaces = o.basisDirs.length > 0 || o.backup || o.tempDir !== '' || o.partialDir !== '';
  return !o.listOnly && !hasPlaces && o.usermap === '' && o.groupmap === '';
}

/** A list of one entry says too little: the one that follows is waited for before the destination is judged (8.3). */
async function findDestination(session: Session, input: ReceivingInput, lists: ListReceiver): Promise<Destination> {
  if (session.incremental && session.list.count === 1) await lists.nextIndex();
  return openDestination(session, input.dest, input.base);
}
