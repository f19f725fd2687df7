import type { FilterList } from '../../protocol/filter/rules.js';
import { EntryEncoder } from '../../protocol/flist/encode.js';
import { createListDigest } from '../../protocol/hash/digest.js';
import type { ByteString } from '../../protocol/options.js';
import type { ChmodRule } from '../files/chmod.js';
import { FileSummer } from '../files/file-sum.js';
import { groupName, userName } from '../files/ids.js';
import type { Root } from '../files/root.js';
import { accessFlags } from '../files/window.js';
import type { ItemContext } from '../report/item.js';
import type { Progress } from '../report/progress.js';
import { ListSender, type WhatToList } from '../sending/list-sender.js';
import { Scanner } from '../sending/scan/scan.js';
import { Sender } from '../sending/sender.js';
import { ItemLog, type TransferLog } from '../session/item-log.js';
import type { Session } from '../session/session.js';
import { senderGoodbye, sendStatistics } from './goodbye.js';
import type { ListAnnouncer } from './list-announcer.js';
import { listWire } from './list-wire.js';
import { problemReporter } from './problems.js';
import { type SentAttributes, sentAttributes } from './sent-attributes.js';

/** What a sending side needs besides its session. */
export interface SendingInput {
  filters: FilterList;
  /** A module's own filters; what they exclude is invisible. */
  moduleFilters: FilterList | null;
  /** A module's "outgoing chmod". */
  moduleChmod: readonly ChmodRule[];
  /** Directory that relative sources start from, absolute. */
  cwd: ByteString;
  /** A confined module's root; null when paths may go anywhere. */
  root: Root | null;
  itemContext: ItemContext;
  transferLog: TransferLog | null;
  progress: Progress | null;
  announcer: ListAnnouncer | null;
  /** Ids travel without names that this side would know. */
  idsByNumber: boolean;
}

/** A sending side that waits for what it is to send. */
export interface SendingSide {
  /** Makes ready what sends files; the seed must be known. Without it, that is done when the list has been sent. */
  prepare(): Promise<void>;
  /** Runs it from the first list to the goodbye. */
  run(what: WhatToList): Promise<void>;
}

/** Makes the sending side of a session. Nothing is read or sent before it runs. */
export async function createSendingSide(session: Session, input: SendingInput): Promise<SendingSide> {
  const reporter = problemReporter(session, '', input.itemContext.module ?? null, 'sender');
  const attributes = sentAttributes(session, input.filters, input.moduleFilters, reporter);
  const scanner = await createScanner(session, input, attributes);
  const names = input.idsByNumber ? { userName: () => null, groupName: () => null } : { userName, groupName };
  const lists = new ListSender(
    session,
    scanner,
    new EntryEncoder(listWire(session), session.list, names, attributes?.encoder ?? null),
  );
  const itemLog = new ItemLog(session, input.itemContext, input.transferLog);
  const sender = new Sender(session, lists, scanner, itemLog, input.progress, attributes?.xattrs ?? null);
  return {
    prepare: () => {
      session.list.prepare();
      return sender.prepareSearch();
    },
    run: async (what) => {
      try {
        await sendLists(session, lists, what, input.announcer);
        if (session.list.count === 0 && session.isServer) return;
        await sender.run();
        sender.applyCounts();
        if (session.isServer) sendStatistics(session);
        // A client's totals are without the goodbye, as rsync's.
        else session.countTraffic();
        session.recorder?.statistics(session);
        await senderGoodbye(session);
        session.kernels.release();
      } finally {
        scanner.close();
      }
    },
  };
}

async function createScanner(
  session: Session,
  input: SendingInput,
  attributes: SentAttributes | null,
): Promise<Scanner> {
  const { list, options: o } = session;
  const digest = o.checksum ? await createListDigest(session.algorithms.listSum, session.sumContext) : null;
  const summer = digest === null ? null : new FileSummer(digest, accessFlags(o));
  return new Scanner({
    options: o,
    list,
    protocol: session.protocol,
    incremental: session.incremental,
    filters: input.filters,
    daemonFilters: input.moduleFilters,
    chmod: input.moduleChmod,
    sumRow:
      summer === null
        ? null
        : (row, path) => {
            summer.sum(path, list.size(row), list.sum(row), 0);
          },
    summer,
    attributes: attributes?.rows ?? null,
    names: listWire(session).names,
    report: (kind, text) => {
      if (kind === 'error') session.log.xferError(text);
      else if (kind === 'warning') session.log.warning(text);
      else session.log.info(text);
    },
    failed: (path) => session.onFailed?.(path),
    cwd: input.cwd,
    root: input.root,
    module: input.itemContext.module ?? null,
  });
}

async function sendLists(
  session: Session,
  lists: ListSender,
  what: WhatToList,
  announcer: ListAnnouncer | null,
): Promise<void> {
  announcer?.start(session.incremental);
  if (!session.incremental) lists.onEntry = announcer?.counter ?? null;
  await lists.sendFirst(what);
  announcer?.end(session.incremental, session.list.count);
  await session.awaitSeed();
  session.connection.flush();
}
