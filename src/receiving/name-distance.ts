import { distance } from 'fastest-levenshtein';
import type { ByteString } from '../../protocol/options.js';

/** What one edit counts; below it is what tells names apart that are as many edits away. */
export const EDIT = 0x10000;
/** How much more an edit of the suffix counts: a file of another kind is no basis. */
const SUFFIX_WEIGHT = 10;

/**
 * How far two names are from each other as rsync counts it for --fuzzy: edits, and then how far their bytes are from each other.
 * Infinity for names that need more edits than `limit` allows.
 */
export function nameDistance(
  name: ByteString,
  suffix: ByteString,
  other: ByteString,
  otherSuffix: ByteString,
  limit: number,
): number {
  if (Math.abs(name.length - other.length) * EDIT > limit) return Number.POSITIVE_INFINITY;
  const edits = distance(name, other) + SUFFIX_WEIGHT * distance(suffix, otherSuffix);
  // The rest is less than an edit for names that are so near.
  if (edits * EDIT > limit) return Number.POSITIVE_INFINITY;
  return textDistance(name, other) + SUFFIX_WEIGHT * textDistance(suffix, otherSuffix);
}

/** Ends of names of copies. */
const COPY = /^\.(?:bak|old|orig)$/;
const NUMBERED_COPY = /^\.~\d+$/;
const NUMBER = /^\.\d+$/;

/**
 * The last part of a name that says what kind of file it is, with its dot: one mark of a copy at the very end does not, nor do
 * numbers, unless there is nothing else.
 */
export function suffixOf(name: ByteString): ByteString {
  const plain = name.replace(/^\.+/, '').replace(/~$/, '');
  const copy = name.endsWith('~') ? NUMBERED_COPY : COPY;
  let number = '';
  for (let end = plain.length; end > 0; ) {
    const dot = plain.lastIndexOf('.', end - 1);
    if (dot < 0) break;
    const part = plain.slice(dot, end);
    if (NUMBER.test(part)) number = part;
    else if (end < plain.length || !copy.test(part)) return part;
    end = dot;
  }
  return number;
}

/**
 * A byte that is replaced counts an edit and the difference of the two, one that is put in or left out an edit and its value; but
 * what is put or left out in front of everything else has no value, unless that is all there is.
 */
function textDistance(a: ByteString, b: ByteString): number {
  if (a === '' || b === '') return (a.length + b.length) * EDIT + sumOf(a) + sumOf(b);
  let above = Array.from({ length: b.length + 1 }, (_, length) => length * EDIT);
  for (let i = 0; i < a.length; i++) {
    const row = [(i + 1) * EDIT];
    const byte = a.charCodeAt(i);
    for (let j = 0; j < b.length; j++) {
      const other = b.charCodeAt(j);
      const replaced = above[j] + (byte === other ? 0 : EDIT + Math.abs(byte - other));
      row.push(Math.min(replaced, above[j + 1] + EDIT + byte, row[j] + EDIT + other));
    }
    above = row;
  }
  return above[b.length];
}

function sumOf(text: ByteString): number {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum += text.charCodeAt(i);
  return sum;
}
