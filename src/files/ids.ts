import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { wildmatch } from '../../protocol/filter/wildmatch.js';
import type { ByteString, Options } from '../../protocol/options.js';
import { groupId, userId } from './names.js';

export { groupName, userName } from './names.js';

const MAX_ID = 0xffff_ffff;

/** One rule of --usermap or --groupmap: which ids of the peer it takes, and what they become. */
interface MapRule {
  /** Lowest and highest number; -1 when the rule is about names. */
  low: number;
  high: number;
  /** '' when the rule is about numbers. */
  name: ByteString;
  wild: boolean;
  to: number;
}

/** Receives the texts of rules that name nobody here; they are left out. */
type Complain = (text: ByteString) => void;

function parseId(text: string): number {
  const id = Number(text);
  if (!/^\d+$/.test(text) || id > MAX_ID) throw new RsyncError(Exit.SYNTAX, `Invalid ID number: ${text}`);
  return id;
}

/** The left side of a rule: a number, a range, a name or a wildcard. */
function parseFrom(from: ByteString, option: string): Omit<MapRule, 'to'> {
  if (!/^\d/.test(from)) return { low: -1, high: -1, name: from, wild: /[*[?]/.test(from) };
  const range = /^(\d+)(?:-(\d+))?$/.exec(from);
  if (range === null) throw new RsyncError(Exit.SYNTAX, `Invalid number in --${option}: ${from}`);
  const low = parseId(range[1]);
  return { low, high: range[2] === undefined ? low : parseId(range[2]), name: '', wild: false };
}

function parseMap(map: ByteString, option: string, find: (name: ByteString) => number | null, complain: Complain) {
  const rules: MapRule[] = [];
  if (map === '') return rules;
  for (const part of map.split(',')) {
    const colon = part.indexOf(':');
    if (colon < 0) throw new RsyncError(Exit.SYNTAX, `No colon found in --${option}: ${part}`);
    const name = part.slice(colon + 1);
    if (name === '') throw new RsyncError(Exit.SYNTAX, `No name found after colon --${option}: ${part}`);
    const from = parseFrom(part.slice(0, colon), option);
    const to = /^\d+$/.test(name) ? parseId(name) : find(name);
    if (to === null) complain(`Unknown --${option} name on receiver: ${name}`);
    else rules.push({ ...from, to });
  }
  return rules;
}

function ruleFor(rules: readonly MapRule[], id: number, name: ByteString): MapRule | null {
  for (const rule of rules) {
    const fits =
      rule.low >= 0 ? id >= rule.low && id <= rule.high : rule.wild ? wildmatch(rule.name, name) : rule.name === name;
    if (fits) return rule;
  }
  return null;
}

/** The names of ids that the peer sent; they may still grow. */
export interface PeerNames {
  readonly users: ReadonlyMap<number, ByteString>;
  readonly groups: ReadonlyMap<number, ByteString>;
  /** The peer names id 0 as well. */
  readonly id0Names: boolean;
}

/**
 * The receiver's answer to "who is that here?" for the ids of a peer (protocol description, 12.1).
 * Ids are mapped when they are first asked for, so the peer's names must be known by then.
 */
export class IdMap {
  private readonly userRules: MapRule[];
  private readonly groupRules: MapRule[];
  private readonly uids = new Map<number, number>();
  private readonly gids = new Map<number, number>();
  private readonly memberOf: ReadonlySet<number> | null;
  private readonly mapUsers: boolean;
  private readonly mapGroups: boolean;
  private readonly byName: boolean;
  private lastUid = -1;
  private lastUidHere = -1;
  private lastGid = -1;
  private lastGidHere = -1;

  /** Throws RsyncError (exit 1) for a --usermap or --groupmap that cannot be read. */
  constructor(
    o: Pick<Options, 'owner' | 'group' | 'numericIds' | 'usermap' | 'groupmap'>,
    isRoot: boolean,
    private readonly names: PeerNames,
    complain: Complain = () => {},
    private readonly trace: ((kind: 'uid' | 'gid', id: number, name: ByteString, here: number) => void) | null = null,
  ) {
    this.userRules = parseMap(o.usermap, 'usermap', userId, complain);
    this.groupRules = parseMap(o.groupmap, 'groupmap', groupId, complain);
    this.mapUsers = isRoot && o.owner && (!o.numericIds || o.usermap !== '');
    this.mapGroups = o.group && (!isRoot || !o.numericIds || o.groupmap !== '');
    this.byName = !o.numericIds;
    this.memberOf = isRoot ? null : new Set([...(process.getgroups?.() ?? []), process.getegid?.() ?? -1]);
  }

  /** The local number of a peer's user. */
  uid(id: number): number {
    if (id === this.lastUid) return this.lastUidHere;
    let here = this.uids.get(id);
    if (here === undefined) {
      here = this.mapUsers ? this.mapId('uid', id, this.names.users, this.userRules, userId) : id;
      this.uids.set(id, here);
    }
    this.lastUid = id;
    this.lastUidHere = here;
    return here;
  }

  /** The local number of a peer's group. */
  gid(id: number): number {
    if (id === this.lastGid) return this.lastGidHere;
    let here = this.gids.get(id);
    if (here === undefined) {
      here = this.mapGroups ? this.mapId('gid', id, this.names.groups, this.groupRules, groupId) : id;
      this.gids.set(id, here);
    }
    this.lastGid = id;
    this.lastGidHere = here;
    return here;
  }

  /** False for a peer's group that this process, not being root, cannot give to a file: it is left alone. */
  maySetGroup(id: number): boolean {
    return this.memberOf === null || this.memberOf.has(this.gid(id));
  }

  private mapId(
    kind: 'uid' | 'gid',
    id: number,
    names: ReadonlyMap<number, ByteString>,
    rules: readonly MapRule[],
    find: (name: ByteString) => number | null,
  ): number {
    let name = this.byName ? (names.get(id) ?? '') : '';
    // An old peer does not name id 0; that is always root.
    if (id === 0 && name === '' && this.byName && !this.names.id0Names) name = 'root';
    const rule = ruleFor(rules, id, name);
    const here = rule !== null ? rule.to : name === '' || id === 0 ? id : (find(name) ?? id);
    this.trace?.(kind, id, name, here);
    return here;
  }
}
