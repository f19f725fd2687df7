import { wildmatch } from '../filter/wildmatch.js';
import type { ByteString, Options } from '../options.js';

const WILD = /[*?[]/;

/** Names that one argument stands for: the one itself, or one that leads to it. */
interface Wanted {
  /** Without leading or trailing slashes. */
  text: ByteString;
  wild: boolean;
  /** What may be listed below it: 0 nothing, 1 its entries, 2 everything. */
  below: number;
  /** With -R: a directory that only leads to what was asked for. */
  isParent: boolean;
}

/**
 * What a pulling client has asked for, to judge what a sender lists ("What a pulling client verifies", section 15).
 * Names are those of the list, with or without the leading slash of -R.
 */
export class RequestedNames {
  private readonly wanted: Wanted[] = [];
  private readonly seen = new Set<string>();
  /** What may be listed in the root of the transfer itself: 0 only what is wanted, 1 its entries, 2 everything. */
  private root = 0;

  constructor(private readonly o: Pick<Options, 'relative' | 'recurse' | 'dirs'>) {}

  /** Adds an argument as the sender gets it, or a name of --files-from; without the name of a daemon's module. */
  add(arg: ByteString): void {
    const { relative, recurse, dirs } = this.o;
    const below = recurse ? 2 : dirs > 0 ? 1 : 0;
    const name = this.namePart(arg);
    const parts = name.split('/').filter((part) => part !== '' && part !== '.');
    // Behind `..` stands the content of a directory, never a name.
    if (parts.length === 0 || (!relative && parts[parts.length - 1] === '..')) {
      this.root = Math.max(this.root, below);
      return;
    }
    this.note(parts.join('/'), below, false);
    if (!relative) return;
    for (let n = parts.length - 1; n > 0; n--) this.note(parts.slice(0, n).join('/'), 0, true);
  }

  private namePart(arg: ByteString): ByteString {
    if (!this.o.relative) return arg.slice(arg.lastIndexOf('/') + 1);
    const at = arg.indexOf('/./');
    return at < 0 ? arg : arg.slice(at + 3);
  }

  /** A name with wildcards also stands for the file of just that name: a shell leaves it alone if nothing matches. */
  private note(text: ByteString, below: number, isParent: boolean): void {
    const key = `${below}${isParent}/${text}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    // A backslash in front of a bracket or wildcard quotes it in the argument, whether or not others are live.
    this.wanted.push({ text: text.replace(/\\([*?[\]\\])/g, '$1'), wild: false, below, isParent });
    if (text.includes('\\')) this.wanted.push({ text, wild: false, below, isParent });
    if (WILD.test(text)) this.wanted.push({ text: quoteStrayBackslashes(text), wild: true, below, isParent });
  }

  /** True when everything below a directory ('' is the root) was asked for, so that its entries need no look. */
  acceptsAllIn(dir: ByteString): boolean {
    if (this.root === 2) return true;
    const path = bare(dir);
    if (path === '') return false;
    return this.wanted.some((w) => w.below === 2 && !w.wild && (path === w.text || path.startsWith(`${w.text}/`)));
  }

  /** True for a name that was asked for, or that -R sends along. */
  accepts(name: ByteString, isDir: boolean): boolean {
    const path = bare(name);
    if (isRoot(path) || this.belowRoot(path)) return true;
    return this.wanted.some((w) => (isDir || !w.isParent) && fits(w, path));
  }

  /**
   * True for a directory that was not asked for itself: nothing in it was, but for names that are listed on their own,
   * so that nothing may be deleted in it.
   */
  isOnlyParent(name: ByteString): boolean {
    const path = bare(name);
    if (isRoot(path)) return this.root === 0;
    if (this.belowRoot(path)) return false;
    return !this.wanted.some((w) => !w.isParent && fits(w, path));
  }

  private belowRoot(path: ByteString): boolean {
    return this.root === 2 || (this.root === 1 && !path.includes('/'));
  }
}

function isRoot(path: ByteString): boolean {
  return path === '' || path === '.';
}

function bare(name: ByteString): ByteString {
  return name.startsWith('/') ? name.slice(1) : name;
}

/** Wildcards are live; a backslash that quotes none of them is one. */
function quoteStrayBackslashes(text: ByteString): ByteString {
  return text.replace(/\\(?![*?[\]])/g, '\\\\');
}

function fits(w: Wanted, path: ByteString): boolean {
  if (!w.wild) {
    if (!path.startsWith(w.text)) return false;
    if (path.length === w.text.length) return true;
    if (w.below === 0 || path.charCodeAt(w.text.length) !== 0x2f) return false;
    return w.below === 2 || !path.includes('/', w.text.length + 1);
  }
  if (wildmatch(w.text, path)) return true;
  if (w.below === 0) return false;
  return wildmatch(`${w.text}/${w.below === 2 ? '**' : '*'}`, path);
}
