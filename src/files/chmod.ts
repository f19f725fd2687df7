import { Exit, S_IFDIR, S_IFMT } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';

/** Permission bits, the set-id and sticky bits included. */
export const PERMISSION_BITS = 0o7777;

/** One comma-separated part of a --chmod argument. */
export interface ChmodRule {
  /** 'all', or only directories, or only what is no directory. */
  applies: 'all' | 'dirs' | 'files';
  operator: '+' | '-' | '=';
  /** Bits that stay before `set` is applied. */
  keep: number;
  /** Bits to be set ('+', '='); for '-' they are gone from `keep`. */
  set: number;
  /** True for X: execute bits only for directories and for what has one already. */
  onlyIfExecutable: boolean;
  /** Copies one class's rwx (shift 6, 3 or 0; -1 for none) to the classes of `copyTo` (0o111 bits). */
  copyShift: number;
  copyTo: number;
  copyMask: number;
}

const CLASSES: Readonly<Record<string, number>> = { u: 0o100, g: 0o010, o: 0o001, a: 0o111 };
const COPY_SHIFT: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };
const PART = /^([DFugoa]*)(?:([+=-])([rwxXst]*|[ugo])|([0-7]+))$/;

/**
 * Parses the argument of one --chmod option. `umask` limits symbolic parts that name no class, as chmod(1) does.
 * Throws RsyncError (exit 1) with rsync's text.
 */
export function parseChmod(text: string, umask: number): ChmodRule[] {
  return text.split(',').map((part) => {
    const found = PART.exec(part);
    const dirs = found?.[1].includes('D') ?? false;
    const files = found?.[1].includes('F') ?? false;
    if (found === null || (dirs && files)) throw invalid(text);
    const applies = dirs ? 'dirs' : files ? 'files' : 'all';
    const letters = found[1].replace(/[DF]/g, '');
    if (found[4] !== undefined) return octalRule(found[4], letters, applies, text);
    return symbolicRule(letters, found[2] as ChmodRule['operator'], found[3], applies, umask);
  });
}

function invalid(text: string): RsyncError {
  return new RsyncError(Exit.SYNTAX, `rsync: Invalid argument passed to --chmod (${text})`);
}

function octalRule(digits: string, letters: string, applies: ChmodRule['applies'], text: string): ChmodRule {
  const set = Number.parseInt(digits, 8);
  if (letters !== '' || set > PERMISSION_BITS) throw invalid(text);
  return { applies, operator: '=', keep: 0, set, onlyIfExecutable: false, copyShift: -1, copyTo: 0, copyMask: 0 };
}

function symbolicRule(
  letters: string,
  operator: ChmodRule['operator'],
  what: string,
  applies: ChmodRule['applies'],
  umask: number,
): ChmodRule {
  let named = 0;
  for (const letter of letters) named |= CLASSES[letter];
  const where = named === 0 ? 0o111 : named;
  const copies = /^[ugo]$/.test(what);
  let rwx = 0;
  if (!copies) {
    for (const letter of what) rwx |= letter === 'r' ? 4 : letter === 'w' ? 2 : /x/i.test(letter) ? 1 : 0;
  }
  // Which set-id bits the named classes own; with no class named, 's' means set-user-id.
  const setIds = (/[ua]/.test(letters) ? 0o4000 : 0) | (/[ga]/.test(letters) ? 0o2000 : 0);
  let special = 0;
  if (what.includes('s')) special |= setIds || 0o4000;
  if (what.includes('t')) special |= 0o1000;
  const bits = (where * rwx) & (named === 0 ? ~umask : PERMISSION_BITS);
  let keep = PERMISSION_BITS;
  if (operator === '-') {
    keep &= ~(bits | special);
  } else if (operator === '=') {
    keep &= ~(where * 7);
    if (special !== 0) keep &= ~setIds;
    if (copies) keep &= ~specialOf(where);
  }
  return {
    applies,
    operator,
    keep,
    set: operator === '-' ? 0 : bits | special,
    onlyIfExecutable: what.includes('X'),
    copyShift: copies ? COPY_SHIFT[what] : -1,
    copyTo: where,
    copyMask: named === 0 ? ~umask & PERMISSION_BITS : PERMISSION_BITS,
  };
}

/** The special bit that goes with each class. */
function specialOf(where: number): number {
  return (where & 0o100 ? 0o4000 : 0) | (where & 0o010 ? 0o2000 : 0) | (where & 0o001 ? 0o1000 : 0);
}

/** The mode (type and permissions) after all rules, in order. */
export function tweakMode(mode: number, rules: readonly ChmodRule[]): number {
  const isDir = (mode & S_IFMT) === S_IFDIR;
  const wasExecutable = (mode & 0o111) !== 0;
  let bits = mode & PERMISSION_BITS;
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i];
    if (rule.applies === 'dirs' ? !isDir : rule.applies === 'files' && isDir) continue;
    const copied = rule.copyShift < 0 ? 0 : (((bits >> rule.copyShift) & 7) * rule.copyTo) & rule.copyMask;
    bits &= rule.keep;
    bits |= rule.onlyIfExecutable && !wasExecutable && !isDir ? rule.set & ~0o111 : rule.set;
    bits = rule.operator === '-' ? bits & ~copied : bits | copied;
  }
  return (mode & ~PERMISSION_BITS) | bits;
}
