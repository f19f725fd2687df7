import type { ByteReader } from '../bytes/reader.js';
import type { ByteWriter } from '../bytes/writer.js';
import { Exit, MAX_TEXT_PAYLOAD, PROTOCOL_VERSION } from '../constants.js';
import { ProtocolError, RsyncError } from '../errors.js';
import type { ByteString, FilterSource } from '../options.js';
import { lastName } from '../path.js';
import { CVS_DEFAULTS } from './cvs.js';
import { type FilterReader, type LoadContext, type LoadSettings, loadFile, loadText, RuleTarget } from './load.js';
import { type Rule, RuleFlag, ruleText, SIDES } from './rule.js';
import { type FilterScope, FilterTree, type ScopeRules, type Verdict } from './scope.js';

export type { FilterReader } from './load.js';
export { excludedByParents, FilterScope, type Verdict } from './scope.js';

/** Bytes of rule text that a peer may send. */
const MAX_RECEIVED = 64 * 1024 * 1024;

export interface FilterListOptions {
  /** The side that this process plays: rules for the other one do not hold here. */
  side: 'sender' | 'receiver';
  protocol: number;
  deleteExcluded: boolean;
  /** Reads the files that options and merge rules name; relative names start from where the command was started. */
  reader: FilterReader;
  /** Absolute path of the transfer's root here, for per-directory files and absolute patterns. */
  rootPath?: ByteString;
  /** Rule files hold NUL-terminated records. */
  from0?: boolean;
  /** Where `-C` looks for more names: the home directory with its .cvsignore, and the value of CVSIGNORE. */
  cvs?: { home: ByteString | null; names: ByteString | null };
  /** Name of this process in messages (`client` unless given). */
  who?: string;
  /** Takes messages that do not end the run, without a newline. */
  report?: (text: string) => void;
}

/** The filter rules of one side of a transfer, in order: the first rule that matches a name decides. */
export class FilterList implements ScopeRules {
  /** Every rule, those for the other side included. */
  private readonly all = new RuleTarget();
  /** Rules that hold on this side; made anew after a change. */
  private effective: readonly Rule[] | null = null;
  private perDirectory = false;
  private cvs: readonly Rule[] | null = null;
  /** Rules that stand for the -C option: they come behind all others, and a client that receives does not send them. */
  private readonly cvsOption = new RuleTarget();
  private readonly context: LoadContext;
  private received = 0;
  readonly settings: LoadSettings;
  /** May be set once it is known: rules can be read before the peer's version is. */
  protocol: number;

  /** See `ScopeRules`; null: nobody wants to know. */
  onMatch: ScopeRules['onMatch'] = null;

  constructor(private readonly o: FilterListOptions) {
    this.protocol = o.protocol;
    this.settings = {
      side: o.side === 'sender' ? RuleFlag.SENDER : RuleFlag.RECEIVER,
      deleteExcluded: o.deleteExcluded,
      from0: o.from0 ?? false,
      who: o.who ?? 'client',
      report: o.report ?? (() => {}),
    };
    this.context = {
      settings: this.settings,
      reader: o.reader,
      template: 0,
      oldPrefixes: false,
      fatal: false,
      module: false,
      anchor: '',
      directory: '',
      parents: false,
      source: null,
      depth: 0,
      isActive: () => false,
    };
  }

  private load(text: ByteString, style: Partial<LoadContext>): void {
    this.effective = null;
    loadText(text, this.all, { ...this.context, ...style });
  }

  private loadFile(path: ByteString, style: Partial<LoadContext>): void {
    this.effective = null;
    if (path !== '') loadFile(path, this.all, { ...this.context, fatal: true, ...style });
  }

  /**
   * Adds one option of the command line. Throws RsyncError with rsync's message: exit 1 for a bad rule, 11 for a
   * missing file.
   */
  addSource(s: FilterSource, from0: boolean): void {
    this.settings.from0 = from0;
    const template = s.kind.startsWith('include') ? RuleFlag.INCLUDE : 0;
    const oldPrefixes = true;
    if (s.kind === 'filter') this.load(s.value, {});
    else if (s.kind.endsWith('-from')) this.loadFile(s.value, { template, oldPrefixes });
    else this.load(s.value, { template, oldPrefixes });
  }

  /** Adds one rule in the full syntax, as --filter takes it. */
  addRule(text: ByteString): void {
    this.load(text, {});
  }

  /** Adds the words of a module's `filter`, `exclude` or `include` parameter. */
  addWords(text: ByteString, kind: 'exclude' | 'include' | 'filter' = 'filter'): void {
    const template = RuleFlag.WORDS | (kind === 'include' ? RuleFlag.INCLUDE : 0);
    this.load(text, { template, oldPrefixes: kind !== 'filter', module: true });
  }

  /** Adds the file of a module's `exclude from` or `include from` parameter. */
  addModuleFile(path: ByteString, kind: 'exclude' | 'include'): void {
    this.loadFile(path, { template: kind === 'include' ? RuleFlag.INCLUDE : 0, oldPrefixes: true, module: true });
  }

  /**
   * What the option -C stands for: behind all other rules, also those that are added later. A client that receives
   * is protected by them in spite of --delete-excluded (`protects`).
   */
  addCvsExclude(protects = false): void {
    this.effective = null;
    this.cvsOption.rules.length = 0;
    const { settings } = this.context;
    const context = protects ? { ...this.context, settings: { ...settings, deleteExcluded: false } } : this.context;
    loadText(':C', this.cvsOption, context);
    loadText('-C', this.cvsOption, context);
  }

  get empty(): boolean {
    return this.all.rules.length === 0 && this.cvsOption.rules.length === 0;
  }

  /** The rules that hold on this side. */
  get rules(): readonly Rule[] {
    if (this.effective === null) {
      const { side } = this.settings;
      // A merge rule for one side says so of its rules, and these are sorted out when its files are read.
      const rules = [...this.all.rules, ...this.cvsOption.rules.filter((r) => !this.isRepeated(r))];
      this.effective = rules.filter((r) => r.is(RuleFlag.PER_DIRECTORY) || r.appliesTo(side));
      this.perDirectory = this.effective.some((r) => r.is(RuleFlag.PER_DIRECTORY));
    }
    return this.effective;
  }

  /** True for the merge rule of -C when a rule for files of that name is there already. */
  private isRepeated(rule: Rule): boolean {
    if (!rule.is(RuleFlag.PER_DIRECTORY)) return false;
    return this.all.rules.some((r) => r.is(RuleFlag.PER_DIRECTORY) && lastName(r.pattern) === rule.pattern);
  }

  /** True when some rule depends on files in the directories: then the peer's choice of names cannot be foretold. */
  get hasPerDirectory(): boolean {
    return this.rules.length > 0 && this.perDirectory;
  }

  /**
   * The rules as the sender of this run applies them, for looking at what it lists; null when there are none, or when
   * they cannot be known here: files in the sender's directories and its absolute paths have a say.
   */
  sendersScope(): FilterScope | null {
    const rules = this.all.rules.concat(this.cvsOption.rules);
    if (rules.some((r) => r.is(RuleFlag.PER_DIRECTORY) || r.is(RuleFlag.ABSOLUTE))) return null;
    const { settings, o } = this;
    const isSent = (r: Rule) => r.appliesTo(RuleFlag.SENDER);
    const sent = rules.filter(isSent);
    if (sent.length === 0) return null;
    const view = { rules: sent, settings, hasPerDirectory: false, cvsRules: () => this.cvsRules() };
    return new FilterTree(view, o.reader, '').top;
  }

  /** True when some rule is about extended attributes: then only such rules say which of them take part. */
  get hasXattrRules(): boolean {
    return this.rules.some((r) => r.is(RuleFlag.XATTR));
  }

  /** What the rules for extended attributes say about a name. */
  xattrVerdict(name: ByteString): Verdict {
    for (const rule of this.rules) {
      if (!rule.is(RuleFlag.XATTR) || rule.is(RuleFlag.PER_DIRECTORY) || !rule.matches(name, false, '')) continue;
      return rule.is(RuleFlag.INCLUDE) ? 1 : -1;
    }
    return 0;
  }

  /** The rules behind a `-C` rule. */
  cvsRules(): readonly Rule[] {
    if (this.cvs === null) {
      const target = new RuleTarget();
      const template = RuleFlag.NO_PREFIXES | RuleFlag.WORDS | RuleFlag.NO_INHERIT | RuleFlag.CVS;
      const perishable = this.protocol >= 30 ? RuleFlag.PERISHABLE : 0;
      const { home, names } = this.o.cvs ?? { home: null, names: null };
      loadText(CVS_DEFAULTS, target, { ...this.context, template: template | perishable });
      if (home !== null) loadFile(`${home === '/' ? '' : home}/.cvsignore`, target, { ...this.context, template });
      if (names !== null) loadText(names, target, { ...this.context, template });
      this.cvs = target.rules;
    }
    return this.cvs;
  }

  /** The rules of the options, as --filter takes them, without those of -C. */
  get texts(): ByteString[] {
    return this.all.rules.map((rule) => ruleText(rule, PROTOCOL_VERSION, false, false) ?? '');
  }

  /** Writes the rules that the server needs (6.2 to 6.4), and the end mark. */
  writeTo(w: ByteWriter, clientIsSender: boolean): void {
    this.writeRules(w, this.all.rules, clientIsSender);
    if (clientIsSender) {
      const sent = this.cvsOption.rules.filter(
        (r) => !this.isRepeated(r) && !(r.is(RuleFlag.MERGE) && this.protocol < 29),
      );
      this.writeRules(w, sent, clientIsSender);
    }
    w.i32(0);
  }

  private writeRules(w: ByteWriter, rules: readonly Rule[], clientIsSender: boolean): void {
    const local = clientIsSender ? RuleFlag.SENDER : RuleFlag.RECEIVER;
    for (const rule of rules) {
      const isMerge = rule.is(RuleFlag.PER_DIRECTORY);
      if ((rule.flags & SIDES) === local) continue;
      const oneSided = this.o.deleteExcluded && (!isMerge || rule.is(RuleFlag.NO_PREFIXES));
      if (oneSided && clientIsSender && (rule.flags & SIDES) === 0) continue;
      if (rule.is(RuleFlag.CVS) && !isMerge && (clientIsSender || this.protocol < 29)) {
        this.writeRules(w, this.cvsRules(), clientIsSender);
        continue;
      }
      const text = ruleText(rule, this.protocol, clientIsSender, this.o.deleteExcluded);
      if (text === null) throw new RsyncError(Exit.PROTOCOL, 'filter rules are too modern for remote rsync.');
      if (text === '') continue;
      w.i32(text.length);
      w.text(text);
    }
  }

  /** Server: reads the client's rules as far as they have arrived. True when the end mark was read. */
  readFrom(r: ByteReader): boolean {
    for (;;) {
      r.begin();
      const length = r.bounded(r.i32(), 0, MAX_TEXT_PAYLOAD - 1, 'filter rule length', Exit.MALLOC);
      const text = r.bytes(length).toString('latin1');
      if (!r.done()) return false;
      if (length === 0) return true;
      this.received += length;
      if (this.received > MAX_RECEIVED) throw new ProtocolError('filter rules', `${this.received} bytes`, Exit.MALLOC);
      const nul = text.indexOf('\0');
      this.load(nul < 0 ? text : text.slice(0, nul), { oldPrefixes: this.protocol < 29 });
    }
  }

  /**
   * The scope of a transfer root. `dirReader` gets transfer-relative paths `DIR/FILE`, and absolute ones for the parents
   * of the root and for merge rules that name a directory; it must return null for whatever it cannot open.
   * @param base absolute path of the root, without a slash at its end ('' is `/`); on a daemon, from the module's root
   */
  root(dirReader: FilterReader, base: ByteString = this.o.rootPath ?? ''): FilterScope {
    return new FilterTree(this, dirReader, base === '/' ? '' : base).top;
  }
}
