import fs from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { FileStat, lstatInto } from '../files/stat.js';
import { below } from './source-tree.js';

/** A directory or file that moved within its source; both paths are relative to the source's root. */
export interface Move {
  source: number;
  from: ByteString;
  to: ByteString;
  isDir: boolean;
}

/** Moves that are remembered; with more of them, what moved is compared at its new place as if it were new. */
const MOST_MOVES = 16;
/** What a directory must hold for a session of its own to be worth it: bytes, or entries looked at until we stop. */
const WORTH_BYTES = 256 * 1024;
/** The same for a file, of which the ordinary session would be no slower than another one that comes first. */
const WORTH_FILE_BYTES = 1024 * 1024;
const MOST_LOOKS = 2000;

/** What moved since the last session, each from where the other side still has it. */
export class Moves {
  private list: Move[] = [];

  /** Notes a move, unless there are too many. */
  add(move: Move): void {
    const { source, from, to } = move;
    // What moved again, with or within another directory, is found under its latest name.
    const isKnown = this.leadTo(source, from);
    for (const old of this.list) {
      if (old.source === source && isAtOrBelow(old.to, from)) old.to = to + old.to.slice(from.length);
    }
    this.list = this.list.filter((old) => old.from !== old.to);
    if (!isKnown && this.list.length < MOST_MOVES) this.list.push({ ...move });
  }

  /** True when what has a name now had another one at the last session. */
  leadTo(source: number, path: ByteString): boolean {
    return this.list.some((old) => old.source === source && old.to === path);
  }

  get any(): boolean {
    return this.list.length > 0;
  }

  take(): Move[] {
    const { list } = this;
    this.list = [];
    return list;
  }
}

function isAtOrBelow(path: ByteString, dir: ByteString): boolean {
  return path === dir || path.startsWith(`${dir}/`);
}

/** True when `root/to` has so much in it that its old place on the other side should be the basis. */
export function isWorthMoving(root: ByteString, { from, to, isDir }: Move): boolean {
  const stat = new FileStat();
  const look = (path: ByteString) => lstatInto(Buffer.from(below(root, path), 'latin1'), stat) === 0;
  // A file that has come to the old place since is sent later, and the basis is there until then.
  if ((isDir && look(from)) || !look(to) || stat.isDir !== isDir) return false;
  if (!isDir) return isLarge(stat);
  const waiting = [to];
  let bytes = 0;
  let looks = 0;
  for (let dir = waiting.pop(); dir !== undefined; dir = waiting.pop()) {
    for (const name of namesIn(below(root, dir))) {
      const path = below(dir, name);
      if (!look(path)) continue;
      if (stat.isDir) waiting.push(path);
      else if (stat.isRegular) bytes += stat.size;
      if (bytes >= WORTH_BYTES || ++looks >= MOST_LOOKS) return true;
    }
  }
  return false;
}

/**
 * True for a file that may be worth a session of its own when it moves; one that is gone may have moved on, which is told
 * next. Another name may have more to do with it than that.
 */
export function mayBeLarge(path: ByteString): boolean {
  const stat = new FileStat();
  return lstatInto(Buffer.from(path, 'latin1'), stat) !== 0 || isLarge(stat);
}

function isLarge(stat: FileStat): boolean {
  return stat.isRegular && stat.size >= WORTH_FILE_BYTES && stat.nlink === 1;
}

function namesIn(dir: ByteString): ByteString[] {
  try {
    return fs.readdirSync(Buffer.from(dir, 'latin1'), { encoding: 'latin1' });
  } catch {
    return [];
  }
}
