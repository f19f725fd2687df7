import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { parentOf } from '../../protocol/path.js';
import { type CommandOptions, parseCommand, unsupportedOption } from '../cli/options.js';
import { planJob } from '../client/target.js';
import type { TargetSpec } from './types.js';

/** Seconds without any traffic after which a session of single entries counts as dead, unless --timeout says otherwise. */
const DEFAULT_TIMEOUT = 60;

/** The options of one target's sessions. Each session gets a set of its own, because a session changes it. */
export class TargetOptions {
  /** The password that a user typed for the first session. */
  private typed: ByteString | undefined;

  constructor(
    private readonly spec: TargetSpec,
    private readonly sources: readonly ByteString[],
  ) {}

  /** Those of a comparison of everything: the command line as it was given. */
  full(extra: readonly ByteString[] = []): CommandOptions {
    return this.parse(extra, this.sources, this.spec.dest);
  }

  /**
   * Those of a session that sends single entries: with all names relative to the sources (-R), and without incremental
   * recursion. What is missing is deleted if the user wants deletions at all.
   */
  single(): CommandOptions {
    const o = this.full();
    o.relative = true;
    o.impliedDirs = true;
    o.incRecursive = false;
    o.deleteMissingArgs = o.deleteMode !== 'none';
    this.adapt(o);
    return o;
  }

  /**
   * Those of a session that sends a directory which moved, given its names in the transfer: its old place over there is
   * the basis, so that nothing of its content travels.
   */
  moved(path: ByteString, from: ByteString, to: ByteString): CommandOptions {
    return this.intoPlace([this.basisIn(from, to)], `${path}/`, to, to.includes('/'));
  }

  /** The same for a file: under its old name it is the basis as the one with the same size and time. */
  movedFile(path: ByteString, from: ByteString, to: ByteString): CommandOptions {
    const [oldDir, dir] = [from, to].map(parentOf);
    const basis = oldDir === dir ? ['--fuzzy'] : ['--fuzzy', '--fuzzy', this.basisIn(oldDir, dir)];
    return this.intoPlace(basis, path, dir === '' ? dir : `${dir}/`, dir !== '');
  }

  /** One directory over there as basis of another one; what will be deleted can be linked. */
  private basisIn(old: ByteString, dir: ByteString): ByteString {
    const kind = this.full().deleteMode === 'none' ? 'copy' : 'link';
    const up = dir === '' ? '' : '../'.repeat(dir.split('/').length);
    return `--${kind}-dest=${up + old || '.'}`;
  }

  private intoPlace(extra: readonly ByteString[], source: ByteString, to: ByteString, mkpath: boolean): CommandOptions {
    const { dest } = this.spec;
    const place = /[:/]$/.test(dest) ? dest + to : `${dest}/${to}`;
    const o = this.parse(extra, [source], place);
    o.relative = false;
    o.deleteMode = 'none';
    o.deleteExcluded = false;
    o.mkpath = mkpath;
    this.adapt(o);
    return o;
  }

  /** No other machine or daemon is involved. */
  get isLocal(): boolean {
    return planJob(this.full()).remote === null;
  }

  private adapt(o: CommandOptions): void {
    o.motd = false;
    if (o.timeout === 0 && planJob(o).remote !== null) o.timeout = DEFAULT_TIMEOUT;
  }

  /** Keeps a password that was asked for, so that it is asked for once. */
  keepPassword(used: CommandOptions): void {
    this.typed = used.password;
  }

  private parse(extra: readonly ByteString[], sources: readonly ByteString[], dest: ByteString): CommandOptions {
    const command = parseCommand([...this.spec.options, ...extra, '--', ...sources, dest], process.env);
    if (command.kind !== 'transfer') throw new RsyncError(Exit.SYNTAX, 'these options run no transfer');
    const { options: o } = command;
    // Two versions of one second can have the same size: without fractions of seconds the second one would be passed
    // over. Whoever mirrors to where there are none says so with --modify-window.
    if (!o.given.modifyWindow) {
      o.modifyWindow = -1;
      o.given.modifyWindow = true;
    }
    const missing = unsupportedOption(o);
    if (missing !== null) throw new RsyncError(Exit.UNSUPPORTED, missing);
    const password = this.spec.password ?? this.typed;
    if (password !== undefined) o.password = password;
    return o;
  }
}

/** Options that a mirror cannot have, with the reason. */
const IMPOSSIBLE: readonly (readonly [(o: CommandOptions) => boolean, string])[] = [
  [(o) => o.listOnly, '--list-only'],
  [(o) => o.dryRun, '--dry-run (-n)'],
  [(o) => o.batch !== null, 'a batch file'],
  [(o) => o.filesFrom !== '', '--files-from'],
  [(o) => o.stopAt !== null, '--stop-at and --stop-after'],
  [(o) => o.removeSourceFiles && o.deleteMode !== 'none', '--remove-source-files and --delete together'],
];

/** Refuses a command line that cannot be mirrored: exit code 1, with what is wrong about it. */
export function checkMirrored(o: CommandOptions): void {
  const job = planJob(o);
  if (job.direction !== 'push' && job.direction !== 'local') {
    const what = job.direction === 'pull' ? 'the source is remote' : 'there is no destination';
    throw new RsyncError(Exit.SYNTAX, `--watch sends local files to a destination as they change, but ${what}`);
  }
  for (const [asked, what] of IMPOSSIBLE) {
    if (asked(o)) throw new RsyncError(Exit.SYNTAX, `--watch cannot be used with ${what}`);
  }
}
