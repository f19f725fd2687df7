import { Compat } from '../../protocol/constants.js';
import { DIGEST_LENGTH } from '../../protocol/hash/digest.js';
import type { ByteString } from '../../protocol/options.js';
import type { ItemContext } from '../report/item.js';
import type { Session } from '../session/session.js';
import type { ServedModule } from './served-module.js';

export function cwd(): ByteString {
  return Buffer.from(process.cwd()).toString('latin1');
}

/** Whether the receiving side is known to set the times of links: from protocol 30 on it says so itself. */
function knowsLinkTimes({ isSender, protocol, compatFlags }: Session): boolean {
  return isSender ? (compatFlags & Compat.SYMLINK_TIMES) !== 0 : protocol >= 29;
}

export function itemContextOf(session: Session, module: ServedModule | null): ItemContext {
  const { options: o, algorithms } = session;
  return {
    options: o,
    localServer: false,
    direction: session.isSender ? 'send' : 'recv',
    ...module?.client,
    module: module?.name,
    modulePath: module?.configuredPath,
    pid: process.pid,
    now: () => new Date(),
    protocol: session.protocol,
    isServer: session.isServer,
    symlinkTimes: knowsLinkTimes(session),
    transferSumLength: DIGEST_LENGTH[algorithms.transferSum],
    listSum: algorithms.listSum,
    transferSum: algorithms.transferSum,
  };
}
