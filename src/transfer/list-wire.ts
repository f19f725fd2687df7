import { Compat } from '../../protocol/constants.js';
import type { ListWire } from '../../protocol/flist/wire.js';
import type { Session } from '../session/session.js';

/** What shapes the entries of a session's lists (section 7). */
export function listWire(session: Session): ListWire {
  const { options: o, compatFlags, protocol, charset } = session;
  return {
    protocol,
    varintFlags: (compatFlags & Compat.VARINT_FLIST_FLAGS) !== 0,
    safeList: (compatFlags & Compat.SAFE_FLIST) !== 0 || protocol >= 31,
    incremental: session.incremental,
    owner: o.owner,
    group: o.group,
    numericIds: o.numericIds,
    devices: o.devices,
    specials: o.specials,
    links: o.links,
    hardLinks: o.hardLinks,
    times: o.times,
    atimes: o.atimes > 0,
    acls: o.acls,
    xattrs: o.xattrs > 0,
    sumLength: session.list.sumLength,
    relative: o.relative,
    recurse: o.recurse,
    deleteMissingArgs: o.deleteMissingArgs,
    id0Names: (compatFlags & Compat.ID0_NAMES) !== 0,
    names: charset === null ? null : { charset, targets: peerConvertsTargets(session) },
  };
}

/** Whether the peer converts the targets of links, too; a client says so with a letter, a server with a flag (1.3, 3.2). */
function peerConvertsTargets({ isServer, options: o, compatFlags, protocol }: Session): boolean {
  if (isServer) return protocol >= 30 && o.clientInfo.includes('s');
  return (compatFlags & Compat.SYMLINK_ICONV) !== 0;
}
