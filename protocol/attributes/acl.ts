import { S_IFDIR, S_IFMT } from '../constants.js';
import { SharedTable } from './shared-table.js';

/** What an entry that is not there has for its permissions. */
export const NO_ENTRY = 0x80;

/** Permissions of a user or group that is named. */
export interface NamedEntry {
  readonly id: number;
  /** 0 to 7. */
  readonly access: number;
  readonly isUser: boolean;
}

/** A POSIX access control list. Each of the four numbers is 0 to 7, or NO_ENTRY. */
export interface Acl {
  readonly user: number;
  readonly group: number;
  readonly mask: number;
  readonly other: number;
  /** Users before groups, each by their ids. */
  readonly names: readonly NamedEntry[];
}

export const NO_ACL: Acl = { user: NO_ENTRY, group: NO_ENTRY, mask: NO_ENTRY, other: NO_ENTRY, names: [] };

/** The list that a file without one has. */
export function aclOfMode(mode: number): Acl {
  return { user: (mode >> 6) & 7, group: (mode >> 3) & 7, mask: NO_ENTRY, other: mode & 7, names: [] };
}

/** The order of named entries. */
export function byId(a: NamedEntry, b: NamedEntry): number {
  return a.isUser === b.isUser ? a.id - b.id : a.isUser ? -1 : 1;
}

/** An access list without what the mode says already: the form in which it travels (12.2). */
export function condense(acl: Acl, mode: number): Acl {
  const { group, mask, names } = acl;
  const rights = (mode >> 3) & 7;
  if (mask === NO_ENTRY) return { ...NO_ACL, names };
  return {
    ...NO_ACL,
    group: group === rights ? NO_ENTRY : group,
    mask: names.length > 0 && mask === rights ? NO_ENTRY : mask,
    names,
  };
}

/** True when a file with the access list `present` will have the condensed one `wanted` once it has the mode `mode`. */
export function hasAcl(present: Acl, wanted: Acl, mode: number): boolean {
  const isMasked = present.mask !== NO_ENTRY;
  if (isMasked !== (wanted.mask !== NO_ENTRY)) return false;
  // With a mask, the group's own entry is not in the mode.
  const group = wanted.group === NO_ENTRY ? (mode >> 3) & 7 : wanted.group;
  return (!isMasked || present.group === group) && sameNames(present, wanted);
}

function sameNames({ names: a }: Acl, { names: b }: Acl): boolean {
  return (
    a.length === b.length &&
    a.every(({ id, access, isUser }, i) => id === b[i].id && access === b[i].access && isUser === b[i].isUser)
  );
}

/** True when two lists are the same in everything. */
export function sameAcl(a: Acl, b: Acl): boolean {
  return a.user === b.user && a.group === b.group && a.mask === b.mask && a.other === b.other && sameNames(a, b);
}

/** An access list as a file with the mode `mode` has it. */
export function expand({ group, mask, names }: Acl, mode: number): Acl {
  const rights = (mode >> 3) & 7;
  return {
    user: (mode >> 6) & 7,
    group: group === NO_ENTRY ? rights : group,
    mask: mask === NO_ENTRY ? NO_ENTRY : rights,
    other: mode & 7,
    names,
  };
}

/**
 * The permissions that a list may give at once, on the way from one mode to another: where a sticky bit is yet to come, or a
 * set-id bit is yet to go, none for others than the owner.
 */
export function safeMode(from: number, to: number): number {
  const appears = (to & S_IFMT) === S_IFDIR && (to & 0o1000 & ~from) !== 0;
  const goes = (to & S_IFMT) !== S_IFDIR && (from & 0o6000 & ~to) !== 0;
  return appears || goes ? to & ~0o077 : to;
}

function keyOf({ user, group, mask, other, names }: Acl): string {
  let key = `${user} ${group} ${mask} ${other}`;
  for (const { id, access, isUser } of names) key += ` ${id}${isUser ? 'u' : 'g'}${access}`;
  return key;
}

/** The lists of one kind in a session. */
export class AclTable extends SharedTable<Acl> {
  constructor() {
    super(NO_ACL, keyOf);
  }
}
