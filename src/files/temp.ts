import { closeSync, constants, renameSync, unlinkSync } from 'node:fs';
import type { ByteString } from '../../protocol/options.js';
import { lastName, parentOf } from '../../protocol/path.js';
import { Errno, errnoOf } from '../libc/errno.js';
import { closeFile, openFile } from '../libc/files.js';
import { libcLoaded, renameRaw } from '../libc/libc.js';
import type { Dir } from './dir.js';
import type { Root } from './root.js';
import { copyContents, openForReading } from './window.js';

const NAME_MAX = 255;
const RANDOM_LENGTH = 6;
/** ".XXXXXX" */
const SUFFIX_LENGTH = RANDOM_LENGTH + 1;
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const MAX_TRIES = 100;
const DOT = 0x2e;

/** A cheap source of names: clashes only cost another try, O_EXCL keeps files apart. */
let state = 0;

function nextRandom(): number {
  if (state === 0) state = 1 + Math.floor(Math.random() * 0x7fff_fffe);
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 0;
}

/**
 * A name for the unfinished form of a file: ".NAME.XXXXXX", without the leading dot in a --temp-dir. NAME loses its own
 * leading dot, and its end when the whole would be too long, but never half of a multi-byte character.
 */
export function tempName(name: Uint8Array, from: number, to: number, hidden = true): Buffer {
  const start = hidden && name[from] === DOT ? from + 1 : from;
  const room = NAME_MAX - 2 - SUFFIX_LENGTH;
  let end = Math.min(to, start + room);
  if (end < to && name[end] >= 0x80) while (end > start && name[end - 1] >= 0x80) end--;
  if (end > start && name[end - 1] === DOT) end--;
  const lead = hidden ? 1 : 0;
  const out = Buffer.allocUnsafe(lead + end - start + SUFFIX_LENGTH);
  if (hidden) out[0] = DOT;
  for (let i = start, at = lead; i < end; i++, at++) out[at] = name[i];
  fillSuffix(out);
  return out;
}

function fillSuffix(name: Buffer): void {
  const at = name.length - SUFFIX_LENGTH;
  name[at] = DOT;
  for (let i = 1, random = nextRandom(); i < SUFFIX_LENGTH; i++, random = Math.floor(random / 62)) {
    if (i === 4) random = nextRandom();
    name[at + i] = LETTERS.charCodeAt(random % 62);
  }
}

/** The unfinished files of this process, so that an end by error or signal leaves none behind. */
class TempRegistry {
  private readonly files = new Set<TempFile>();

  add(file: TempFile): void {
    this.files.add(file);
  }

  delete(file: TempFile): void {
    this.files.delete(file);
  }

  get size(): number {
    return this.files.size;
  }

  /** Removes them all; errors are of no use any more. */
  removeAll(): void {
    for (const file of [...this.files]) {
      try {
        file.discard();
      } catch {
        this.files.delete(file);
      }
    }
  }
}

export const tempRegistry = new TempRegistry();

/** A file that is being written under a temporary name. */
export class TempFile {
  private lastPath: Buffer;
  private prefix: Buffer;

  constructor(
    readonly dir: Dir,
    readonly name: Buffer,
    /** Open for reading and writing; -1 after `close`. */
    public fd: number,
    path: Buffer,
  ) {
    this.lastPath = path;
    this.prefix = dir.self();
    tempRegistry.add(this);
  }

  /** Path for file calls; good until the next `Root.dir`. */
  path(): Buffer {
    const prefix = this.dir.self();
    if (prefix !== this.prefix) {
      this.prefix = prefix;
      this.lastPath = this.dir.at(this.name, 0, this.name.length);
    }
    return this.lastPath;
  }

  close(): void {
    if (this.fd < 0) return;
    const { fd } = this;
    this.fd = -1;
    closeFile(fd);
  }

  /**
   * Puts the file in its place, replacing what is there in one step. From another file system (--temp-dir) it is copied
   * to a temporary name beside that place first; `again` then sets the copy's attributes. Throws an errno error and
   * keeps the file when that fails.
   */
  moveTo(dir: Dir, name: Uint8Array, from: number, to: number, again: ((path: Buffer) => void) | null): void {
    this.close();
    try {
      rename(this.path(), dir.at(name, from, to));
    } catch (error) {
      if (errnoOf(error) !== Errno.EXDEV) throw error;
      const copy = createTemp(dir, name, from, to, 0o600);
      try {
        copyInto(this.path(), copy);
        again?.(copy.path());
        copy.moveTo(dir, name, from, to, null);
      } catch (inner) {
        copy.discard();
        throw inner;
      }
      this.discard();
      return;
    }
    tempRegistry.delete(this);
  }

  /** Takes the file away. One that is gone already is no error. */
  discard(): void {
    tempRegistry.delete(this);
    this.close();
    try {
      unlinkSync(this.path());
    } catch (error) {
      if (errnoOf(error) !== Errno.ENOENT) throw error;
    }
  }
}

const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Creates the temporary file for `name` in a directory. Only the owner gets rights, because the right owner and mode
 * come later: `mode` & 0700, and always the right to write. `hidden` false: a --temp-dir, names there have no dot.
 */
export function createTemp(
  dir: Dir,
  name: Uint8Array,
  from: number,
  to: number,
  mode: number,
  hidden = true,
): TempFile {
  const temp = tempName(name, from, to, hidden);
  const rights = (mode | 0o200) & 0o700;
  for (let tries = 1; ; tries++) {
    try {
      const path = dir.at(temp, 0, temp.length);
      return new TempFile(dir, temp, openFile(path, CREATE, rights), path);
    } catch (error) {
      if (errnoOf(error) !== Errno.EEXIST || tries >= MAX_TRIES) throw error;
      fillSuffix(temp);
    }
  }
}

/** Splits a relative path: its directory, and its last component. */
export function splitPath(path: ByteString): { dir: ByteString; name: Buffer } {
  return { dir: parentOf(path), name: Buffer.from(lastName(path), 'latin1') };
}

function copyInto(source: Buffer, temp: TempFile): void {
  const from = openForReading(source);
  try {
    copyContents(from, temp.fd);
  } finally {
    closeSync(from);
  }
}

/**
 * Copies a regular file to `path` below `root` in one step for everybody else: under a temporary name, which `prepare`
 * gives its attributes, and then into place. Throws an errno error and leaves nothing behind when that fails.
 */
export function copyFileTo(root: Root, source: Buffer, path: ByteString, prepare: (temp: Buffer) => void): void {
  const { dir, name } = splitPath(path);
  const temp = createTemp(root.dir(dir), name, 0, name.length, 0o600);
  try {
    copyInto(source, temp);
    temp.close();
    prepare(temp.path());
    temp.moveTo(root.dir(dir), name, 0, name.length, null);
  } catch (error) {
    temp.discard();
    throw error;
  }
}

/**
 * Makes something that is no regular file at `path`: directly when nothing is there, else under a temporary name that
 * replaces the old one in one step. `make` gets the path to create and fails when something is there.
 */
export function createAtomically(root: Root, path: ByteString, exists: boolean, make: (at: Buffer) => void): void {
  const { dir, name } = splitPath(path);
  const place = root.dir(dir);
  if (!exists) {
    make(place.at(name, 0, name.length));
    return;
  }
  for (let tries = 1; ; tries++) {
    const temp = tempName(name, 0, name.length);
    const at = place.at(temp, 0, temp.length);
    try {
      make(at);
    } catch (error) {
      if (errnoOf(error) !== Errno.EEXIST || tries >= MAX_TRIES) throw error;
      continue;
    }
    try {
      rename(at, place.at(name, 0, name.length));
    } catch (error) {
      removeQuietly(at);
      throw error;
    }
    // Two names of one file: rename() then does nothing and leaves both.
    removeQuietly(at);
    return;
  }
}

function rename(from: Buffer, to: Buffer): void {
  if (libcLoaded()) renameRaw(from, to);
  else renameSync(from, to);
}

function removeQuietly(path: Buffer): void {
  try {
    unlinkSync(path);
  } catch {
    // Usually it is gone, which is what was wanted.
  }
}
