import { MAX_PATH } from '../constants.js';
import type { ByteString } from '../options.js';
import { lastName } from '../path.js';
import { type FilterReader, type LoadContext, type LoadSettings, loadFile, RuleTarget } from './load.js';
import { cleanPath } from './parse.js';
import { type Rule, RuleFlag } from './rule.js';

/** -1: excluded, 0: no rule matched, 1: included. */
export type Verdict = -1 | 0 | 1;

/** The rules that one per-directory merge rule stands for in one directory: its own file's first, then inherited ones. */
interface Merge {
  readonly rule: Rule;
  readonly rules: readonly Rule[];
}

/** What the scopes of a tree need from their filter list. */
export interface ScopeRules {
  readonly rules: readonly Rule[];
  readonly settings: LoadSettings;
  readonly hasPerDirectory: boolean;
  cvsRules(): readonly Rule[];
  /** Told which rule has decided about a name, and where that rule comes from when it is no rule of the list itself. */
  onMatch?: ((rule: Rule, path: ByteString, isDir: boolean, origin: string) => void) | null;
}

const NO_MERGES: readonly Merge[] = [];

/**
 * One transfer tree that rules are applied to. Per-directory files are read when a directory is entered; what was read
 * for the directories above the last one stays at hand, so that a walk in depth-first order reads each file once.
 */
export class FilterTree {
  readonly top: FilterScope;
  /** Scopes from the top to the directory that was entered last; '' is in it only if it was entered itself. */
  private readonly chain: FilterScope[] = [];
  /** What the directories above the transfer give to its root, and to the directories in the root. */
  private aboveRoot: readonly Merge[] | null = null;
  private aboveChildren: readonly Merge[] | null = null;

  constructor(
    readonly list: ScopeRules,
    private readonly reader: FilterReader,
    /** Absolute path of the tree's root without a slash at its end. */
    readonly base: ByteString,
  ) {
    this.top = new FilterScope(this, NO_MERGES);
  }

  enter(path: ByteString): FilterScope {
    const { chain } = this;
    if (path === '' || path === '.') {
      chain.length = 0;
      this.aboveRoot ??= this.startMerges(`${this.base}/`);
      return this.push('', this.aboveRoot);
    }
    while (chain.length > 0 && !isAbove(chain[chain.length - 1].path, path)) chain.pop();
    let at = chain.length > 0 ? chain[chain.length - 1].path.length : 0;
    let scope: FilterScope;
    do {
      at = path.indexOf('/', at + 1);
      const dir = at < 0 ? path : path.slice(0, at);
      scope = this.push(dir, chain.length > 0 ? chain[chain.length - 1].merges : this.mergesAbove(dir));
    } while (at >= 0);
    return scope;
  }

  private mergesAbove(dir: ByteString): readonly Merge[] {
    if (dir.startsWith('/')) return this.startMerges(dir === '/' ? dir : `${dir}/`);
    this.aboveChildren ??= this.startMerges(`${this.base}/${dir}/`);
    return this.aboveChildren;
  }

  private push(path: ByteString, above: readonly Merge[]): FilterScope {
    const scope = new FilterScope(this, this.readDirectory(path, above), path);
    this.chain.push(scope);
    return scope;
  }

  /** The merge rules of the whole list before any directory of the transfer is entered; parents are searched. */
  private startMerges(directory: ByteString): readonly Merge[] {
    const merges: Merge[] = [];
    for (const rule of this.list.rules) {
      if (rule.is(RuleFlag.PER_DIRECTORY)) merges.push({ rule, rules: this.searchParents(rule, directory, merges) });
    }
    return merges;
  }

  private context(rule: Rule, directory: ByteString, parents: boolean, merges: readonly Merge[]): LoadContext {
    return {
      settings: this.list.settings,
      reader: this.reader,
      template: rule.flags,
      oldPrefixes: false,
      fatal: false,
      module: false,
      anchor: directory,
      directory,
      parents,
      source: null,
      depth: 0,
      isActive: (name) => this.isActive(name, merges),
    };
  }

  /** True when a merge rule of that file name can be reached from the list's rules. */
  private isActive(name: ByteString, merges: readonly Merge[]): boolean {
    const named = (r: Rule) => r.is(RuleFlag.PER_DIRECTORY) && lastName(r.pattern) === name;
    return this.list.rules.some(named) || merges.some((m) => m.rules.some(named));
  }

  /**
   * A merge file whose name has directories is looked for in all directories from there down to the parent of the
   * one that is entered first, if they are above it ("MERGE-FILE FILTER RULES" of the manual page).
   */
  private searchParents(rule: Rule, directory: ByteString, merges: readonly Merge[]): readonly Rule[] {
    const { pattern } = rule;
    if (!pattern.includes('/')) return [];
    const start = cleanPath(pattern.startsWith('/') ? pattern : directory + pattern);
    let at = start.lastIndexOf('/') + 1;
    let rules: readonly Rule[] = [];
    if (!directory.startsWith(start.slice(0, at))) return rules;
    for (; at < directory.length; at = directory.indexOf('/', at) + 1) {
      const dir = directory.slice(0, at);
      const path = dir + lastName(pattern);
      rules = this.readFile(path, path, rule, rules, this.context(rule, dir, true, merges));
      if (rule.is(RuleFlag.NO_INHERIT)) rules = [];
    }
    return rules;
  }

  /** The rules of one merge file in front of those that it inherits. */
  private readFile(
    path: ByteString,
    shown: ByteString,
    rule: Rule,
    inherited: readonly Rule[],
    context: LoadContext,
  ): readonly Rule[] {
    if (shown.length >= MAX_PATH) {
      context.settings.report(`cannot add local filter rules in long-named directory: ${context.directory}`);
      return inherited;
    }
    const target = new RuleTarget();
    loadFile(path, target, { ...context, template: rule.flags }, shown);
    if (target.cleared) return target.rules;
    return target.rules.length === 0 ? inherited : [...target.rules, ...inherited];
  }

  private readDirectory(path: ByteString, above: readonly Merge[]): readonly Merge[] {
    const absolute = path.startsWith('/') ? path : path === '' ? this.base : `${this.base}/${path}`;
    const directory = absolute === '/' ? '/' : `${absolute}/`;
    const merges = [...above];
    let changed = false;
    // The list grows when a file names further merge files; these are looked for in this directory, too.
    for (let i = 0; i < merges.length; i++) {
      const { rule, rules } = merges[i];
      const name = lastName(rule.pattern);
      const inherited = rule.is(RuleFlag.NO_INHERIT) ? [] : rules;
      const local = path === '' ? name : path === '/' ? `/${name}` : `${path}/${name}`;
      const context = this.context(rule, directory, false, merges);
      const found = this.readFile(local, directory + name, rule, inherited, context);
      if (found === rules || (found.length === 0 && rules.length === 0)) continue;
      changed = true;
      merges[i] = { rule, rules: found };
      for (const r of found) {
        if (!r.is(RuleFlag.PER_DIRECTORY) || merges.some((m) => m.rule === r)) continue;
        merges.push({ rule: r, rules: this.searchParents(r, directory, merges) });
      }
    }
    return changed ? merges : above;
  }
}

function isAbove(dir: ByteString, path: ByteString): boolean {
  if (dir === '') return !path.startsWith('/');
  if (dir === '/') return path.length > 1 && path.startsWith('/');
  return path.length > dir.length && path.charCodeAt(dir.length) === 0x2f && path.startsWith(dir);
}

/** The rules that hold for the entries of one directory. Scopes never change. */
export class FilterScope {
  constructor(
    private readonly tree: FilterTree,
    /** Rules of per-directory files that hold here. */
    readonly merges: readonly Merge[],
    /** Transfer-relative path of the directory; '' for the root. */
    readonly path: ByteString = '',
  ) {}

  /**
   * The scope inside directory `path` (transfer-relative, no slash at its end; '' or '.' is the root). Reads the
   * directory's filter files each time it is called; directories should be entered in depth-first order. The files of
   * the root hold for the directories below it only once the root has been entered. Without per-directory rules it
   * returns `this`.
   */
  into(path: ByteString): FilterScope {
    return this.tree.list.hasPerDirectory ? this.tree.enter(path) : this;
  }

  /** True for the name of a file that is read for rules when this directory is entered, whether it is there or not. */
  readsRulesFrom(name: ByteString): boolean {
    return this.merges.some(({ rule }) => lastName(rule.pattern) === name);
  }

  /** What the rules say about a name. `path`: transfer-relative, or absolute with a leading slash (-R). */
  verdict(path: ByteString, isDir: boolean): Verdict {
    const { rules } = this.tree.list;
    return rules.length === 0 ? 0 : this.decide(rules, path, isDir, 0, '');
  }

  /** The same, for names in a directory that is being deleted: perishable rules do not count. */
  verdictForDelete(path: ByteString, isDir: boolean): Verdict {
    return this.decide(this.tree.list.rules, path, isDir, RuleFlag.PERISHABLE, '');
  }

  private decide(rules: readonly Rule[], path: ByteString, isDir: boolean, ignored: number, origin: string): Verdict {
    const { list, base } = this.tree;
    for (const rule of rules) {
      const { flags } = rule;
      if (flags & (RuleFlag.PER_DIRECTORY | RuleFlag.CVS | RuleFlag.XATTR | ignored)) {
        if (flags & ignored) continue;
        let verdict: Verdict = 0;
        if (flags & RuleFlag.PER_DIRECTORY) {
          const from = list.onMatch ? ` [per-dir ${lastName(rule.pattern)}]` : '';
          verdict = this.decide(this.mergedRules(rule), path, isDir, ignored, from);
        } else if (flags & RuleFlag.CVS) {
          verdict = this.decide(list.cvsRules(), path, isDir, ignored, ' [global CVS]');
        }
        if (verdict !== 0) return verdict;
        continue;
      }
      if (rule.matches(path, isDir, base)) {
        list.onMatch?.(rule, path, isDir, origin);
        return flags & RuleFlag.INCLUDE ? 1 : -1;
      }
    }
    return 0;
  }

  private mergedRules(rule: Rule): readonly Rule[] {
    for (const merge of this.merges) if (merge.rule === rule) return merge.rules;
    return [];
  }
}

/** True when the rules exclude a name or one of the directories that lead to it. */
export function excludedByParents(scope: FilterScope, path: ByteString, isDir: boolean): boolean {
  for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
    if (scope.verdict(path.slice(0, at), true) < 0) return true;
  }
  return path !== '' && path !== '.' && scope.verdict(path, isDir) < 0;
}
