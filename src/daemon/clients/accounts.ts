import { execFile } from 'node:child_process';
import fs from 'node:fs';
import type { ByteString } from '../../../protocol/options.js';

/*
 * User and group names to numbers. The local files answer at once; a name that is not in them is asked of the system's
 * name services through getent and id, which every Debian has, and the answer is kept for a short while.
 */

const KEEP_MS = 10_000;
const KEEP_MAX = 1000;
const asked = new Map<string, { text: string | null; until: number }>();

/** Names that may be handed to a command: nothing that it could take for an option or a number. */
const ASKABLE = /^[A-Za-z_][^\0\n:]{0,255}$/;

function ask(command: string, args: string[]): Promise<string | null> {
  const key = [command, ...args].join('\0');
  const known = asked.get(key);
  if (known !== undefined && known.until > Date.now()) return Promise.resolve(known.text);
  return new Promise((resolve) => {
    execFile(command, args, { encoding: 'latin1', timeout: 10_000, maxBuffer: 1 << 20 }, (error, out) => {
      const text = error === null ? out : null;
      if (asked.size >= KEEP_MAX) asked.clear();
      asked.set(key, { text, until: Date.now() + KEEP_MS });
      resolve(text);
    });
  });
}

function fieldsOf(file: string, name: ByteString): string[] | null {
  let text: string;
  try {
    text = fs.readFileSync(file, 'latin1');
  } catch {
    return null;
  }
  const line = text.split('\n').find((l) => l.startsWith(`${name}:`));
  return line === undefined ? null : line.split(':');
}

async function entry(kind: 'passwd' | 'group', name: ByteString): Promise<string[] | null> {
  const local = fieldsOf(`/etc/${kind}`, name);
  if (local !== null) return local;
  if (!ASKABLE.test(name)) return null;
  const answer = await ask('getent', [kind, '--', name]);
  return answer === null ? null : answer.trimEnd().split(':');
}

function idNumber(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return null;
  const n = Number(text);
  return n <= 0xfffffffe ? n : null;
}

/** The uid of a name or of a number in decimal; null when there is no such user. */
export async function userId(name: ByteString): Promise<number | null> {
  if (/^\d+$/.test(name)) return idNumber(name);
  return idNumber((await entry('passwd', name))?.[2]);
}

/** The gid of a name or of a number in decimal; null when there is no such group. */
export async function groupId(name: ByteString): Promise<number | null> {
  if (/^\d+$/.test(name)) return idNumber(name);
  return idNumber((await entry('group', name))?.[2]);
}

/** All gids of a user, its own group first; null when the user is not known. */
export async function groupIdsOf(uid: number): Promise<number[] | null> {
  const answer = await ask('id', ['-G', String(uid)]);
  if (answer === null) return null;
  return answer.trim().split(' ').map(Number);
}

/** Names of all groups of a user of this system; none when there is no such user. */
export async function groupNamesOf(user: ByteString): Promise<ByteString[]> {
  if (!ASKABLE.test(user) || (await entry('passwd', user)) === null) return [];
  const answer = await ask('id', ['-Gnz', '--', user]);
  return answer === null ? [] : answer.split('\0').filter((name) => name !== '');
}
