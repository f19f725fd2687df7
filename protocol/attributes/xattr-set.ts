import type { ByteString } from '../options.js';
import { SharedTable } from './shared-table.js';

/** Longest value that travels in the list itself; of others the MD5 does (12.3). */
export const MAX_FULL_VALUE = 32;
/** Longest value that Linux keeps: what is longer cannot be set, and is not worth its memory. */
export const MAX_LOCAL_VALUE = 65536;

/** What is known of a long value: its digest, that it was asked for, or all that will ever be. */
export const XattrState = { ABBREVIATED: 0, WANTED: 1, DONE: 2 } as const;

/** One extended attribute of a set. */
export interface Xattr {
  /** As this side keeps it, with its namespace and without a NUL. */
  readonly name: ByteString;
  /** Bytes of the value. */
  length: number;
  /** Null for a long value that is not at hand. */
  value: Buffer | null;
  /** MD5 of a value longer than MAX_FULL_VALUE, null for a shorter one. */
  readonly digest: Buffer | null;
  /** Its place in the set as it travels, from 1 on: what requests name it by. */
  readonly number: number;
  /** `XattrState` of a long value. */
  state: number;
}

/** All attributes of a file, by the bytes of their names. */
export type XattrSet = readonly Xattr[];

export const NO_XATTRS: XattrSet = [];

/** The order of names in a set: byte strings compare like their bytes. */
export function byName(a: Xattr, b: Xattr): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** True when two attributes have the same value, as far as lists tell. */
function sameValue(a: Xattr, b: Xattr): boolean {
  if (a.length !== b.length) return false;
  if (a.digest !== null) return b.digest?.equals(a.digest) === true;
  return b.value !== null && a.value?.equals(b.value) === true;
}

/** True when a file that has `present` needs something done to have `wanted`. */
export function xattrsDiffer(wanted: XattrSet, present: XattrSet): boolean {
  if (wanted.length !== present.length) return true;
  return wanted.some((item, i) => item.name !== present[i].name || !sameValue(item, present[i]));
}

/**
 * Notes which long values of `wanted` have to be asked for, for a file that has `present`, and returns them. Each is asked for
 * once in a session (12.4). With `keep`, values that `present` has are taken over, for a file that is made anew.
 */
export function takeWanted(wanted: XattrSet, present: XattrSet, keep: boolean): Xattr[] {
  const asked: Xattr[] = [];
  let at = 0;
  for (const item of wanted) {
    while (at < present.length && present[at].name < item.name) at++;
    if (item.digest === null || item.state !== XattrState.ABBREVIATED) continue;
    const { value, isSame } = compareAt(present[at], item);
    if (!isSame) {
      item.state = XattrState.WANTED;
      asked.push(item);
    } else if (keep) {
      item.value = value;
      item.state = XattrState.DONE;
    }
  }
  return asked;
}

function compareAt(present: Xattr | undefined, item: Xattr): { value: Buffer | null; isSame: boolean } {
  if (present === undefined || present.name !== item.name) return { value: null, isSame: false };
  return { value: present.value, isSame: sameValue(item, present) };
}

/** What makes two sets equal, as text. */
function keyOf(set: XattrSet): string {
  let key = '';
  for (const { name, length, value, digest } of set) {
    key += `${name}\0${length} ${(digest ?? value ?? Buffer.alloc(0)).toString('latin1')}`;
  }
  return key;
}

/** The sets of a session. */
export class XattrTable extends SharedTable<XattrSet> {
  constructor() {
    super(NO_XATTRS, keyOf);
  }
}
