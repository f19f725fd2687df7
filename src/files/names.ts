import { readFileSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { type Account, lookUp } from '../libc/libc.js';

/** What /etc/passwd or /etc/group says: both have name, number and, for users, the own group in the same places. */
interface Table {
  byId: Map<number, Account>;
  byName: Map<ByteString, Account>;
  /** True when the name service has more sources than this file, so that the C library must be asked too; null: not known yet. */
  more: boolean | null;
}

type Kind = 'passwd' | 'group';

/** The largest number that a user or group can have; the one above means "leave it". */
const MAX_ID = 0xfffffffe;

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** True unless the name service configuration lists nothing but the file. */
function hasOtherSources(kind: Kind): boolean {
  const line = new RegExp(`^\\s*${kind}:([^#\\n]*)`, 'm').exec(readText('/etc/nsswitch.conf'));
  return line?.[1].split(/\s+/).some((word) => word !== '' && word !== 'files') ?? false;
}

function readTable(kind: Kind): Table {
  const table: Table = { byId: new Map(), byName: new Map(), more: null };
  for (const line of readText(`/etc/${kind}`).split('\n')) {
    const fields = line.split(':');
    if (fields.length < 4 || !/^\d+$/.test(fields[2])) continue;
    const account = { name: fields[0], id: Number(fields[2]), gid: Number(fields[3]) || 0 };
    if (!table.byId.has(account.id)) table.byId.set(account.id, account);
    if (!table.byName.has(account.name)) table.byName.set(account.name, account);
  }
  return table;
}

const tables: Partial<Record<Kind, Table>> = {};

function table(kind: Kind): Table {
  tables[kind] ??= readTable(kind);
  return tables[kind];
}

function hasMore(kind: Kind): boolean {
  const t = table(kind);
  t.more ??= hasOtherSources(kind);
  return t.more;
}

/** Reads all about both now: soon it may be out of reach. */
export function readAccounts(): void {
  hasMore('passwd');
  hasMore('group');
}

const unknownIds: Record<Kind, Set<number>> = { passwd: new Set(), group: new Set() };

/** The file is asked first: that is cheap and nearly always enough. Answers of the C library are kept. */
function byId(kind: Kind, id: number): Account | null {
  const t = table(kind);
  const known = t.byId.get(id);
  if (known !== undefined) return known;
  if (unknownIds[kind].has(id) || !hasMore(kind)) return null;
  const found = lookUp(kind === 'passwd' ? 'getpwuid_r' : 'getgrgid_r', id);
  if (found === null) unknownIds[kind].add(id);
  else t.byId.set(id, found);
  return found;
}

function byName(kind: Kind, name: ByteString): Account | null {
  const t = table(kind);
  const known = t.byName.get(name);
  if (known !== undefined) return known;
  if (name === '' || name.includes('\0') || !hasMore(kind)) return null;
  const found = lookUp(kind === 'passwd' ? 'getpwnam_r' : 'getgrnam_r', name);
  if (found !== null) t.byName.set(name, found);
  return found;
}

/**
 * Answers `uid N` and `gid N` with a name, `usr NAME` and `grp NAME` with a number in decimal, in the place of the system; ''
 * when there is none.
 */
export type ConvertName = (request: ByteString) => ByteString;

let convert: ConvertName | null = null;

/** From now on this process has names converted by somebody else. */
export function convertNamesBy(by: ConvertName): void {
  convert = by;
}

function convertedId(by: ConvertName, request: ByteString): number | null {
  const answer = by(request);
  return /^\d{1,10}$/.test(answer) && Number(answer) <= MAX_ID ? Number(answer) : null;
}

/** Name of a local user or group, null when the number has none. */
export function userName(uid: number): ByteString | null {
  if (convert !== null) return convert(`uid ${uid}`) || null;
  return byId('passwd', uid)?.name ?? null;
}

export function groupName(gid: number): ByteString | null {
  if (convert !== null) return convert(`gid ${gid}`) || null;
  return byId('group', gid)?.name ?? null;
}

/** What the system has on a local user, null when the number has no entry. */
export function accountOf(uid: number): Account | null {
  return byId('passwd', uid);
}

/** Number of a local user or group, null when there is none of that name. */
export function userId(name: ByteString): number | null {
  if (convert !== null) return convertedId(convert, `usr ${name}`);
  return byName('passwd', name)?.id ?? null;
}

export function groupId(name: ByteString): number | null {
  if (convert !== null) return convertedId(convert, `grp ${name}`);
  return byName('group', name)?.id ?? null;
}
