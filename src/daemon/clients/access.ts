import { wildmatch } from '../../../protocol/filter/wildmatch.js';
import type { ModuleConfig } from '../config/params.js';
import { matchAddress, parseAddress } from './address.js';
import { forwardAddresses, UNDETERMINED } from './names.js';

/** Who is at the other end. The name may be found late, or replaced by the one that a rule names. */
export interface Client {
  /** Numeric address. */
  address: string;
  /** Host name, UNKNOWN, or UNDETERMINED while no lookup was made. */
  name: string;
}

type Warn = (text: string) => void;

/** A name of rsyncd.conf against the client's: the pattern on the reverse name, else the addresses of the name. */
async function matchesName(item: string, client: Client, forward: boolean, deny: boolean): Promise<boolean> {
  // Netgroups are a service of old C libraries' NIS; no client is in one.
  if (item.startsWith('@') && item.length > 1) return false;
  if (wildmatch(item, client.name.toLowerCase())) return true;
  if (!forward || !/[^.0-9]/.test(item) || /[:/*?[]/.test(item)) return false;
  const addresses = await forwardAddresses(item);
  // A name to deny that cannot be looked up might be this client: it counts as a match.
  if (addresses === null) return deny;
  if (!addresses.includes(client.address)) return false;
  if (client.name === UNDETERMINED) client.name = item;
  return true;
}

async function inList(list: string, client: Client, forward: boolean, deny: boolean, warn: Warn): Promise<boolean> {
  const address = parseAddress(client.address);
  for (const item of list.toLowerCase().split(/[ ,\t]+/)) {
    if (item === '') continue;
    if (await matchesName(item, client, forward, deny)) return true;
    if (address === null) continue;
    const verdict = matchAddress(address, item);
    if (verdict === 'match') return true;
    if (verdict === 'bad-address') warn(`error matching address ${item}: Name or service not known`);
    else if (verdict === 'bad-mask') warn(`malformed mask in ${item}`);
  }
  return false;
}

/** Applies "hosts allow" and "hosts deny" of a module: allow first, then deny; with only an allow list, all others are denied. */
export async function hostAllowed(config: ModuleConfig, client: Client, warn: Warn): Promise<boolean> {
  const { hostsAllow, hostsDeny, forwardLookup } = config;
  if (hostsAllow !== '') {
    if (await inList(hostsAllow, client, forwardLookup, false, warn)) return true;
    if (hostsDeny === '') return false;
  }
  return hostsDeny === '' || !(await inList(hostsDeny, client, forwardLookup, true, warn));
}

/** True when the peer, whose name nobody has looked up, is in a "proxy protocol hosts" list; an empty list trusts nobody. */
export function isTrustedProxy(list: string, peer: Client, warn: Warn): Promise<boolean> {
  return inList(list, peer, false, false, warn);
}
