import { MAX_PATH } from './constants.js';
import type { ByteString } from './options.js';

/** The character set of this side's names, with --iconv. On the wire they are UTF-8. */
export interface Charset {
  /** A text as it travels; null when it is none of this character set. */
  toWire(text: ByteString): ByteString | null;
  /** A text of the peer as it is here; null when it is no UTF-8, or has a character that there is none for here. */
  toLocal(text: ByteString): ByteString | null;
  /** Why a text could not be converted, in the words of the C library. */
  fault(text: ByteString): string;
}

/** What travels in UTF-8 beside messages. */
export interface NameForm {
  charset: Charset;
  /** The targets of links as well. */
  targets: boolean;
}

type Way = 'toWire' | 'toLocal';

/** A converted path; null when it cannot be converted, and where it would become another path. */
export function convertPath(charset: Charset, way: Way, path: ByteString): ByteString | null {
  const to = charset[way](path);
  if (to === null || to === path) return to;
  return fits(to) && isSamePath(path, to) ? to : null;
}

/** A converted target of a link; null when it cannot be converted. */
export function convertTarget(charset: Charset, way: Way, target: ByteString): ByteString | null {
  const to = charset[way](target);
  return to !== null && fits(to) ? to : null;
}

/** A text in which not everything has to be right: one that cannot be converted stays as it is. */
export function convertAnyhow(charset: Charset | null, way: Way, text: ByteString): ByteString {
  return charset === null ? text : (charset[way](text) ?? text);
}

function fits(text: ByteString): boolean {
  return text.length < MAX_PATH && !text.includes('\0');
}

/** No character becomes a slash or a name of dots, or comes from one: what was checked in one form holds in the other. */
function isSamePath(a: ByteString, b: ByteString): boolean {
  const from = a.split('/');
  const to = b.split('/');
  return from.length === to.length && from.every((name, i) => name === to[i] || !(isSpecial(name) || isSpecial(to[i])));
}

function isSpecial(name: ByteString): boolean {
  return name === '' || name === '.' || name === '..';
}
