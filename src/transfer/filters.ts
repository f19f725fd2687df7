import fs from 'node:fs';
import { UnreadableRules } from '../../protocol/filter/load.js';
import { RuleFlag } from '../../protocol/filter/rule.js';
import { FilterList, type FilterReader } from '../../protocol/filter/rules.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { leadsOutside } from '../libc/confinement.js';
import { Errno } from '../libc/errno.js';
import { leadsThroughForeignLink } from '../libc/foreign-link.js';
import { errnoText, strerror } from '../report/errno.js';
import { filtered, foreignLink } from '../report/messages.js';
import type { Session } from '../session/session.js';

/** Reads filter files by their path as given; null when there is none. */
export const plainFilterReader: FilterReader = {
  read(path: ByteString): Buffer | null {
    try {
      return path === '-' ? fs.readFileSync(0) : fs.readFileSync(Buffer.from(path, 'latin1'));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return null;
      // A directory can be opened like a file; it has no rules.
      if (code === 'EISDIR') return Buffer.alloc(0);
      throw new UnreadableRules(errnoText(error));
    }
  },
};

/** The same for the files that a command line names: no way to them leads through a link of another user. */
const guardedFilterReader: FilterReader = {
  read(path: ByteString): Buffer | null {
    const isForeign = leadsThroughForeignLink(path);
    if (!isForeign && !leadsOutside(path)) return plainFilterReader.read(path);
    throw new UnreadableRules(`${strerror(Errno.ELOOP)} (${Errno.ELOOP})`, isForeign ? foreignLink() : '');
  },
};

/** How the files are read that a command line names. */
export function filterReader(o: Options): FilterReader {
  return o.insecureLinks ? plainFilterReader : guardedFilterReader;
}

export interface FilterSetup {
  options: Options;
  protocol: number;
  side: 'sender' | 'receiver';
  isServer: boolean;
  isLocal: boolean;
  /** Reads the files that rules name; a daemon's client must not reach beyond the module, and has no settings there. */
  reader?: FilterReader;
  report(text: string): void;
  /** --debug=filter: which rule has decided about a name. */
  trace(text: ByteString): void;
}

/** The rules that a client's options say, or on a server those that its own options imply. */
export function buildFilters(s: FilterSetup): FilterList {
  const { options: o } = s;
  const list = new FilterList({
    side: s.side,
    protocol: s.protocol,
    deleteExcluded: o.deleteExcluded,
    reader: s.reader ?? filterReader(o),
    from0: o.from0,
    cvs:
      s.isServer && !s.isLocal && s.reader !== undefined
        ? undefined
        : { home: process.env.HOME ?? null, names: process.env.CVSIGNORE ?? null },
    who: s.isServer ? s.side : 'client',
    report: s.report,
  });
  if ((o.debug.filter ?? 0) >= 1) {
    const role = s.side === 'sender' ? 'sender' : 'generator';
    list.onMatch = (rule, path, isDir, origin) => {
      const pattern = rule.is(RuleFlag.FROM_FILE) ? '<rule from a file read earlier>' : rule.pattern;
      const slash = rule.is(RuleFlag.DIRECTORY) && !rule.is(RuleFlag.FROM_FILE) ? '/' : '';
      s.trace(filtered(role, rule.is(RuleFlag.INCLUDE), isDir, path, pattern + slash, origin));
    };
  }
  if (!s.isServer || s.isLocal) {
    for (const source of o.filters) list.addSource(source, o.from0);
    // Unfinished files of other runs are never listed and never deleted.
    const partial = o.delayUpdates && o.partialDir === '' ? '.~tmp~' : o.partialDir;
    if (partial !== '' && !partial.startsWith('/')) list.addRule(`${s.protocol >= 30 ? '-p' : '-'} ${partial}/`);
    if (o.backup && o.backupDir === '' && o.deleteMode !== 'none' && !o.deleteExcluded) list.addRule(`-r *${o.suffix}`);
  }
  if (o.cvsExclude && (!s.isServer || s.isLocal)) list.addCvsExclude(s.side === 'receiver' && !s.isServer);
  return list;
}

/** Whether a server that receives needs the client's rules (6.1). */
function receiverNeedsRules(o: Options, protocol: number): boolean {
  return o.pruneEmptyDirs || (o.deleteMode !== 'none' && (!o.deleteExcluded || protocol >= 29));
}

/** Sends the rules to the server, or receives them from the client, where this kind of run has any (6.1). */
export async function exchangeFilters(session: Session, filters: FilterList): Promise<void> {
  const { connection, options: o, isServer, isSender, protocol } = session;
  const clientSends = isServer ? !isSender : isSender;
  if (clientSends && !receiverNeedsRules(o, protocol)) return;
  if (!isServer) {
    filters.writeTo(connection.writer, isSender);
    connection.flush();
    return;
  }
  while (!filters.readFrom(connection.reader)) await connection.fill();
  if (o.cvsExclude && isSender) filters.addCvsExclude();
}
