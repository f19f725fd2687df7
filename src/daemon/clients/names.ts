import type { LookupAddress } from 'node:dns';
import dns from 'node:dns';
import { plainAddress } from './address.js';

/** The name of a client when nobody asked for it, and when it has none. */
export const UNDETERMINED = 'UNDETERMINED';
export const UNKNOWN = 'UNKNOWN';

/** Answers are kept for so many milliseconds, and for so many clients, because one client opens many connections. */
const KEEP_MS = 30_000;
const KEEP_MAX = 1000;

interface Answer {
  name: string;
  /** For the log, '' when all is well. */
  complaint: string;
  until: number;
}
const answers = new Map<string, Answer>();

function lookupService(address: string): Promise<string | null> {
  return new Promise((resolve) => {
    dns.lookupService(address, 0, (error, name) => resolve(error === null ? name : null));
  });
}

/** Numeric addresses of a host name; null when it has none. */
export function forwardAddresses(name: string): Promise<string[] | null> {
  return new Promise((resolve) => {
    dns.lookup(name, { all: true }, (error: Error | null, found: LookupAddress[]) => {
      resolve(error === null ? found.map((a) => plainAddress(a.address)) : null);
    });
  });
}

async function resolveName(address: string): Promise<Omit<Answer, 'until'>> {
  if (address === '0.0.0.0') return { name: UNKNOWN, complaint: '' };
  const name = await lookupService(address);
  if (name === null) {
    return { name: UNKNOWN, complaint: `name lookup failed for ${address}: Name or service not known` };
  }
  // A reverse entry is the client's own claim: the name has to lead back to the address.
  const back = await forwardAddresses(name);
  if (back === null) {
    return { name: UNKNOWN, complaint: `forward name lookup for ${name} failed: Name or service not known` };
  }
  if (!back.includes(address)) {
    return { name: UNKNOWN, complaint: `${address} is not a known address for "${name}": spoofed address?` };
  }
  return { name: name.slice(0, 99), complaint: '' };
}

/** The host name of a client by reverse lookup, checked forwards; UNKNOWN and a line for the log when that fails. */
export async function clientName(address: string, warn: (text: string) => void): Promise<string> {
  const now = Date.now();
  let answer = answers.get(address);
  if (answer === undefined || answer.until < now) {
    answer = { ...(await resolveName(address)), until: now + KEEP_MS };
    if (answers.size >= KEEP_MAX) answers.clear();
    answers.set(address, answer);
  }
  if (answer.complaint !== '') warn(answer.complaint);
  return answer.name;
}

/** The client's address when the daemon was started by a remote shell, from what the shell left in the environment. */
export function addressFromShell(env: Readonly<Record<string, string | undefined>>): string {
  const text = env.REMOTE_HOST ?? env.SSH_CONNECTION ?? env.SSH_CLIENT ?? env.SSH2_CLIENT ?? '';
  const [first] = text.split(' ');
  return /^[0-9a-fA-F:.]+(%\w+)?$/.test(first) ? plainAddress(first) : '0.0.0.0';
}
