import fs from 'node:fs';
import { shellWord } from '../../protocol/batch.js';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import type { CommandOptions } from '../cli/options.js';
import { checkOperatorPath } from '../files/operator-path.js';
import { errnoText } from '../report/errno.js';
import type { ClientLog } from '../report/log.js';
import { foreignLink, fullName } from '../report/messages.js';
import { BatchRecorder } from '../session/batch-recorder.js';
import { cwd } from '../transfer/item-context.js';
import type { RunInputs } from './inputs.js';
import { parseTarget, TargetError } from './target.js';

const STDIN = 0;

/** Opens a file of a batch. Errors: `exitCode`, with rsync's words. */
function open(
  o: CommandOptions,
  name: ByteString,
  flags: number,
  mode: number,
  exitCode: number,
  log: ClientLog,
): number {
  try {
    checkOperatorPath(name, o, () => log.error(foreignLink()));
    return fs.openSync(Buffer.from(name, 'latin1'), flags, mode);
  } catch (error) {
    const text = `rsync: [Receiver] Batch file ${fullName(name, cwd())} open error: ${errnoText(error)}`;
    throw new TargetError(text, 'Receiver', exitCode);
  }
}

/** Opens the file that --read-batch names; it must be a file or a pipe. */
export function openBatch(o: CommandOptions, log: ClientLog): number {
  const { name } = o.batch!;
  if (name === '-') return STDIN;
  const fd = open(o, name, fs.constants.O_RDONLY, 0, Exit.FILEIO, log);
  const stat = fs.fstatSync(fd);
  if (stat.isFile() || stat.isFIFO()) return fd;
  fs.closeSync(fd);
  const text = `Batch file ${fullName(name, cwd())} is neither a regular file nor a FIFO`;
  throw new TargetError(text, 'Receiver', Exit.FILEIO);
}

/** A batch that is to be written: FILE and FILE.sh are open. */
export class BatchFiles {
  readonly recorder: BatchRecorder;
  private script: number;

  constructor(
    private readonly o: CommandOptions,
    private readonly inputs: RunInputs,
    log: ClientLog,
  ) {
    const { name, kind } = o.batch!;
    const { O_WRONLY, O_CREAT, O_TRUNC } = fs.constants;
    const flags = O_WRONLY | O_CREAT | O_TRUNC;
    this.script = open(o, `${name}.sh`, flags, 0o700, Exit.FILESELECT, log);
    try {
      this.recorder = new BatchRecorder(open(o, name, flags, 0o600, Exit.FILEIO, log), kind === 'only-write', o);
    } catch (error) {
      fs.closeSync(this.script);
      throw error;
    }
  }

  /** Writes the script, which has a command that reads the batch. */
  writeScript(protocol: number): void {
    const { script, o } = this;
    const rules = this.inputs.ruleTexts(protocol);
    if (rules.some((rule) => rule.includes('\n'))) {
      const text = 'cannot write a filter rule containing a newline to the batch replay script';
      throw new RsyncError(Exit.SYNTAX, text);
    }
    const end = o.from0 ? '\0' : '\n';
    const filter = protocol >= 29 ? " --filter='._-'" : " --exclude-from='-'";
    let text = shellWord(programName());
    if (rules.length > 0) text += filter;
    text += `${replayWords(o)} \${1:-${shellWord(destinationOf(o))}}`;
    if (rules.length > 0) text += ` <<'#E#'\n${rules.map((rule) => rule + end).join('')}${o.from0 ? ';\n' : ''}#E#`;
    this.script = -1;
    try {
      fs.writeFileSync(script, Buffer.from(`${text}\n`, 'latin1'));
    } catch (error) {
      const what = `rsync: [client] Batch file ${o.batch!.name}.sh write error`;
      throw new RsyncError(Exit.FILEIO, `${what}: ${errnoText(error)}`);
    } finally {
      fs.closeSync(script);
    }
  }

  /** To be called once. */
  close(): void {
    if (this.script >= 0) fs.closeSync(this.script);
    this.script = -1;
    this.recorder.close();
  }
}

function programName(): ByteString {
  return Buffer.from(process.argv[1] ?? 'tsrsync').toString('latin1');
}

/** Where the batch is to be put by default: this run's destination, without its host. */
function destinationOf({ args }: CommandOptions): ByteString {
  const last = args[args.length - 1] ?? '';
  const target = parseTarget(last);
  return target.kind === 'local' ? last : target.path;
}

/** Options that name rules and lists of files: the rules are in the script, and the lists in the batch. */
const LEFT_OUT = ['--files-from', '--filter', '--include', '--exclude'];

/** The words of the command line without its arguments, each behind a space, so that they read what they wrote. */
function replayWords(o: CommandOptions): ByteString {
  const words = withoutArguments(o.batch!.words, o.args);
  let text = '';
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const write = /^--(?:only-)?write-batch(=?)/.exec(word);
    if (word === '-f') i++;
    else if (LEFT_OUT.some((name) => word.startsWith(name))) i += word.includes('=') ? 0 : 1;
    else if (write === null) text += ` ${shellWord(word)}`;
    else text += write[1] === '' ? ' --read-batch' : ` --read-batch=${shellWord(word.slice(write[0].length))}`;
  }
  return text;
}

/** Arguments are looked for from the end, as options come first. */
function withoutArguments(words: readonly ByteString[], args: readonly ByteString[]): ByteString[] {
  const left: ByteString[] = [];
  let next = args.length - 1;
  for (let i = words.length - 1; i >= 0; i--) {
    if (next >= 0 && words[i] === args[next]) next--;
    else left.unshift(words[i]);
  }
  return left;
}
