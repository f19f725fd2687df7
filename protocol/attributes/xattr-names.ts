import type { ByteString } from '../options.js';

const USER = 'user.';
const SYSTEM = 'system.';
/** Where a side that only pretends to be root keeps attributes of other namespaces (12.5). */
const DISGUISED = 'user.rsync.';
/** What such a side keeps about a file itself. */
const OWN = new Set(['user.rsync.%stat', 'user.rsync.%aacl', 'user.rsync.%dacl']);

export interface XattrNameOptions {
  isSender: boolean;
  /** 1: root (or --super), 0: another user, -1: --fake-super. */
  rootLevel: -1 | 0 | 1;
  /** How often -X was given: twice, and attributes of rsync's own travel too. */
  level: number;
  /** What filter rules for attributes say, below 0 to exclude; null when there are none. */
  verdict: ((name: ByteString) => number) | null;
}

/** Which attributes take part, by their names (12.3), and what they are called on either side. */
export class XattrNames {
  constructor(private readonly o: XattrNameOptions) {}

  /** True for an attribute of a file here that counts. */
  counts(name: ByteString): boolean {
    const { isSender, rootLevel, level } = this.o;
    if (!this.isOpen(name, !isSender && rootLevel === 0)) return false;
    return !(isSender && level < 2 && name.startsWith(`${DISGUISED}%`)) && !(rootLevel < 0 && OWN.has(name));
  }

  /** True for one that has to go when the other side does not have it. */
  mayGo(name: ByteString): boolean {
    const { rootLevel } = this.o;
    return this.isOpen(name, rootLevel <= 0) && !(rootLevel < 0 && OWN.has(name));
  }

  private isOpen(name: ByteString, userOnly: boolean): boolean {
    const { verdict } = this.o;
    if (verdict !== null) return verdict(name) >= 0;
    return userOnly ? name.startsWith(USER) : !name.startsWith(SYSTEM);
  }

  /** What an attribute of a file here is called on the wire. */
  sent(name: ByteString): ByteString {
    const isDisguised = this.o.rootLevel < 0 && name.startsWith(DISGUISED) && name[DISGUISED.length] !== '%';
    return isDisguised ? name.slice(DISGUISED.length) : name;
  }

  /** What an attribute that comes in is called here; null: it is not kept. */
  received(name: ByteString): ByteString | null {
    const { rootLevel, level, verdict } = this.o;
    if (verdict !== null && verdict(name) < 0) return null;
    let kept = name;
    if (rootLevel <= 0 && !name.startsWith(USER)) {
      if (rootLevel === 0 && verdict === null) return null;
      kept = DISGUISED + name;
    }
    return level < 2 && kept.startsWith(`${DISGUISED}%`) ? null : kept;
  }
}
