import { createHash, timingSafeEqual } from 'node:crypto';
import { Exit } from '../constants.js';
import { RsyncError } from '../errors.js';
import { loadMd4, oneShot } from '../hash/digest.js';
import type { ByteString } from '../options.js';

/** Digests of the daemon's challenge and response, strongest first (protocol description, section 2). */
export const AUTH_DIGESTS = ['sha512', 'sha256', 'sha1', 'md5', 'md4'] as const;
export type AuthDigest = (typeof AUTH_DIGESTS)[number];

/** Has to be awaited before `authResponse` and `makeChallenge` may use md4. */
export { loadMd4 } from '../hash/digest.js';

/** Base64 without padding, as both sides write digests. */
function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

/** What the choice of a digest needs to know of the peer's greeting. */
export interface DigestOffer {
  /** Names that the peer listed, or null when its greeting had no list. */
  digests: readonly string[] | null;
  /** Negotiated protocol version. */
  protocol: number;
}

export interface ChosenDigest {
  digest: AuthDigest;
  /** True when MD4 was assumed for a peer without a list: its sum starts with four zero bytes. */
  legacyMd4: boolean;
}

/**
 * The digest of one authentication, or null when there is no common one. A server takes the first name of the client's
 * list that it knows, a client the first of its own that the server listed: both agree with every release (section 2).
 */
export function chooseDigest(offer: DigestOffer, isServer: boolean): ChosenDigest | null {
  if (offer.digests === null) {
    return offer.protocol >= 30 ? { digest: 'md5', legacyMd4: false } : { digest: 'md4', legacyMd4: true };
  }
  const theirs = offer.digests.map((name) => name.toLowerCase());
  const found = isServer
    ? theirs.find((name) => (AUTH_DIGESTS as readonly string[]).includes(name))
    : AUTH_DIGESTS.find((name) => theirs.includes(name));
  return found === undefined ? null : { digest: found as AuthDigest, legacyMd4: false };
}

/** True when `digest` is at least as strong as the one named `floor`; an unknown floor accepts nothing. */
export function meetsFloor(digest: AuthDigest, floor: string): boolean {
  const rank = (AUTH_DIGESTS as readonly string[]).indexOf(floor.toLowerCase());
  return rank >= 0 && AUTH_DIGESTS.indexOf(digest) <= rank;
}

/**
 * The text of a challenge, from bytes of the system's random source. It has the length that the digest's output has in
 * base64, so that clients with a fixed buffer can take it.
 */
export function makeChallenge(digest: AuthDigest, random: Buffer): string {
  return unpadded(oneShot(digest, [random]));
}

/** `base64(H(password, challenge))` of section 2. `password` is bytes; `challenge` the text behind AUTHREQD. */
export function authResponse(digest: AuthDigest, password: Uint8Array, challenge: string, legacyMd4: boolean): string {
  const parts: Uint8Array[] = [password, Buffer.from(challenge, 'latin1')];
  if (legacyMd4 && digest === 'md4') parts.unshift(Buffer.alloc(4));
  return unpadded(oneShot(digest, parts));
}

/** Compares two responses in a time that does not depend on where they differ. */
export function sameResponse(a: string, b: string): boolean {
  const left = createHash('sha256').update(a, 'latin1').digest();
  const right = createHash('sha256').update(b, 'latin1').digest();
  return timingSafeEqual(left, right);
}

/**
 * The line with which a client answers `@RSYNCD: AUTHREQD challenge`, with its LF.
 * `digestNames` are those of the server's greeting (null: none). Errors: exit code 4 without a common digest.
 */
export async function clientAuthLine(
  user: ByteString,
  password: Uint8Array,
  digestNames: readonly string[] | null,
  challenge: string,
  protocol: number,
): Promise<ByteString> {
  const chosen = chooseDigest({ digests: digestNames, protocol }, false);
  if (chosen === null) {
    const offered = (digestNames ?? []).join(' ');
    throw new RsyncError(
      Exit.UNSUPPORTED,
      `Failed to negotiate a daemon auth checksum choice.\nServer list: ${offered}\nClient list: ${AUTH_DIGESTS.join(' ')}`,
    );
  }
  if (chosen.digest === 'md4') await loadMd4();
  return `${user} ${authResponse(chosen.digest, password, challenge, chosen.legacyMd4)}\n`;
}

/** A client's answer, split at its first space; null when there is none. */
export function parseAuthLine(line: ByteString): { user: ByteString; response: string } | null {
  const space = line.indexOf(' ');
  return space < 0 ? null : { user: line.slice(0, space), response: line.slice(space + 1) };
}

/** One entry of "auth users". */
export interface AuthRule {
  pattern: ByteString;
  /** The pattern is for names of the user's system groups. */
  isGroup: boolean;
  /** 'deny', read-only, read-write, or null for the module's own setting. */
  access: 'deny' | 'ro' | 'rw' | null;
}

/**
 * Splits a list of rsyncd.conf as its "auth users" and "gid" do: at spaces and commas, or only at commas when it begins
 * with one. Empty items are dropped.
 */
export function splitConfList(text: ByteString): ByteString[] {
  const trimmed = text.replace(/^[ \t\r\n\v\f]+/, '');
  if (trimmed.startsWith(',')) {
    return trimmed
      .split(',')
      .map((item) => item.replace(/^[ \t\r\n\v\f]+|[ \t\r\n\v\f]+$/g, ''))
      .filter((item) => item !== '');
  }
  return trimmed.split(/[ ,\t\r\n]+/).filter((item) => item !== '');
}

/** The rules of "auth users", in the order in which they are tried. */
export function parseAuthUsers(text: ByteString): AuthRule[] {
  return splitConfList(text).map((item) => {
    const colon = item.indexOf(':');
    const name = colon < 0 ? item : item.slice(0, colon);
    const option = colon < 0 ? '' : item.slice(colon + 1).toLowerCase();
    let access: AuthRule['access'] = null;
    if (option.startsWith('d')) access = 'deny';
    else if (option.startsWith('ro')) access = 'ro';
    else if (option.startsWith('rw')) access = 'rw';
    const isGroup = name.startsWith('@');
    return { pattern: isGroup ? name.slice(1) : name, isGroup, access };
  });
}

/** The first rule that fits, and the group that made it fit. `match` compares a shell pattern with a name. */
export function matchAuthUsers(
  rules: readonly AuthRule[],
  user: ByteString,
  groups: readonly ByteString[],
  match: (pattern: ByteString, name: ByteString) => boolean,
): { rule: AuthRule; group: ByteString | null } | null {
  for (const rule of rules) {
    if (!rule.isGroup) {
      if (match(rule.pattern, user)) return { rule, group: null };
      continue;
    }
    const group = groups.find((name) => match(rule.pattern, name));
    if (group !== undefined) return { rule, group };
  }
  return null;
}

/** Longest line of a secrets file that is looked at as one. */
const MAX_SECRET_LINE = 1023;

/** Cuts lines as a reader with a fixed buffer does: a longer line continues as another one. */
function* secretLines(content: Buffer): Generator<Buffer> {
  let at = 0;
  while (at < content.length) {
    const newline = content.indexOf(0x0a, at);
    const end = Math.min(newline < 0 ? content.length : newline + 1, at + MAX_SECRET_LINE);
    let stop = end;
    while (stop > at && (content[stop - 1] === 0x0a || content[stop - 1] === 0x0d)) stop--;
    if (stop > at) yield content.subarray(at, stop);
    at = end;
  }
}

function passwordOf(line: Buffer, name: Buffer, from: number): Buffer | null {
  const colon = from + name.length;
  if (line.length <= colon || line[colon] !== 0x3a || !line.subarray(from, colon).equals(name)) return null;
  return line.subarray(colon + 1);
}

/**
 * Looks for the secret of a user (or of the group whose rule let the user in) in the content of a secrets file.
 * `accept` says whether a password is the right one. Only the first line of each name is tried.
 * Returns null on success, else the reason for the log.
 */
export function checkSecrets(
  content: Buffer,
  user: ByteString,
  group: ByteString | null,
  accept: (password: Uint8Array) => boolean,
): string | null {
  if (user.startsWith('#')) return 'invalid username';
  let userName: Buffer | null = Buffer.from(user, 'latin1');
  let groupName: Buffer | null = group === null ? null : Buffer.from(group, 'latin1');
  let reason = 'secret not found';
  for (const line of secretLines(content)) {
    const forGroup = line[0] === 0x40;
    const name = forGroup ? groupName : userName;
    if (name === null) continue;
    const password = passwordOf(line, name, forGroup ? 1 : 0);
    if (password === null) continue;
    if (accept(password)) return null;
    reason = 'password mismatch';
    if (forGroup) groupName = null;
    else userName = null;
    if (userName === null && groupName === null) break;
  }
  return reason;
}
