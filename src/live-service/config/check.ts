import fs from 'node:fs';
import { RsyncError } from '../../../protocol/errors.js';
import type { ByteString } from '../../../protocol/options.js';
import { type CommandOptions, parseCommand, unsupportedOption } from '../../cli/options.js';
import { planJob } from '../../client/target.js';
import type { MirrorSpec, TargetSpec } from '../../live/types.js';
import { errnoText } from '../../report/errno.js';
import type { ServiceConfig } from './types.js';

const bytes = (path: ByteString) => Buffer.from(path, 'latin1');

/** The options of one run to a target. Throws RsyncError where the command would end before it starts. */
export function targetOptions(spec: MirrorSpec, target: TargetSpec, extra: readonly ByteString[] = []): CommandOptions {
  const argv = [...target.options, ...extra, '--', ...spec.sources, target.dest];
  const command = parseCommand(argv, process.env);
  if (command.kind !== 'transfer')
    throw new RsyncError(1, `these options run no transfer: ${target.options.join(' ')}`);
  const o = command.options;
  const missing = unsupportedOption(o);
  if (missing !== null) throw new RsyncError(4, missing);
  if (target.password !== null) o.password = target.password;
  return o;
}

/** Checks what the syntax does not show; returns every problem as a line. */
export function checkConfig(config: ServiceConfig): string[] {
  const problems: string[] = [];
  for (const { spec, hooks } of config.syncs) {
    const tell = (text: string) => problems.push(`${config.file}: [sync ${spec.name}] ${text}`);
    for (const source of spec.sources) checkSource(source, tell);
    for (const target of spec.targets) checkTarget(spec, target, (text) => tell(`target ${target.name}: ${text}`));
    for (const { name, action } of hooks) {
      if (action.kind === 'http' && action.headerFile !== '') {
        checkSecret(action.headerFile, (text) => tell(`hook ${name}: header file ${text}`));
      }
    }
  }
  return problems;
}

function checkSource(source: ByteString, tell: (text: string) => void): void {
  try {
    fs.statSync(bytes(source));
    fs.accessSync(bytes(source), fs.constants.R_OK);
  } catch (error) {
    tell(`source ${source}: ${errnoText(error)}`);
  }
}

function checkTarget(spec: MirrorSpec, target: TargetSpec, tell: (text: string) => void): void {
  let o: CommandOptions;
  try {
    o = targetOptions(spec, target);
    const job = planJob(o);
    if (job.direction !== 'push' && job.direction !== 'local') tell('a mirror only pushes from this machine');
    if (job.remote?.kind === 'daemon' && job.remote.module === '') {
      tell(`no module in ${target.dest}`);
      return;
    }
    if (job.dest?.kind === 'local') checkNoLoop(spec, job.dest.path, tell);
  } catch (error) {
    if (!(error instanceof RsyncError)) throw error;
    tell(error.message.trim());
    return;
  }
  if (o.passwordFile !== '') checkSecret(o.passwordFile, (text) => tell(`password file ${text}`));
  if (o.filesFrom !== '') tell('--files-from has no meaning for a mirror');
  for (const { kind, value } of o.filters) {
    if (kind !== 'exclude-from' && kind !== 'include-from') continue;
    if (!fs.existsSync(bytes(value))) tell(`--${kind}=${value}: no such file`);
  }
}

/** A target inside of its source would be copied into itself for ever. */
function checkNoLoop(spec: MirrorSpec, dest: ByteString, tell: (text: string) => void): void {
  const real = realPath(dest);
  for (const source of spec.sources) {
    const from = realPath(source);
    if (real === from || real.startsWith(from === '/' ? '/' : `${from}/`)) tell(`${dest} lies in the source ${source}`);
  }
}

/** The path without links, as far as it exists. */
function realPath(path: ByteString): ByteString {
  try {
    return fs.realpathSync(bytes(path), { encoding: 'latin1' });
  } catch {
    const up = path.replace(/\/+$/, '').replace(/\/?[^/]*$/, '');
    const name = path.replace(/\/+$/, '').replace(/^.*\//, '');
    if (name === '' || up === path) return path;
    return `${realPath(up === '' ? (path.startsWith('/') ? '/' : '.') : up)}/${name}`.replace(/^\/\//, '/');
  }
}

/** What holds a secret must be there, and for nobody else to read. */
function checkSecret(path: ByteString, tell: (text: string) => void): void {
  let st: fs.Stats;
  try {
    st = fs.statSync(bytes(path));
  } catch (error) {
    tell(`${path}: ${errnoText(error)}`);
    return;
  }
  if (st.mode & 0o006) tell(`${path} must not be other-accessible (chmod 600)`);
  if (process.getuid?.() === 0 && st.uid !== 0) tell(`${path} must be owned by root when running as root`);
}
