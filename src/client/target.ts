/**
 * Sources and destination of a run: which of them are elsewhere, how to get there, and which way the files go
 * (protocol 1.1, 1.6). Messages are rsync's.
 */
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { GivenOptions } from '../../protocol/handshake/args.js';
import type { ByteString, Options } from '../../protocol/options.js';

export type LocalTarget = { kind: 'local'; path: ByteString };
export type ShellTarget = { kind: 'shell'; host: string; user: string | null; path: ByteString };
export type DaemonTarget = {
  kind: 'daemon';
  host: string;
  user: string | null;
  /** 0 when the argument names none. */
  port: number;
  /** First part of the path; '' asks for the list of modules. */
  module: string;
  /** As given: `module/dir`. */
  path: ByteString;
};
export type Target = LocalTarget | ShellTarget | DaemonTarget;

/** What a client run does. */
export interface Job {
  /**
   * 'list' is a run without a destination: files of a remote side, of a local directory, or the modules of a daemon.
   * 'pull' and 'push' have a remote side, 'local' has none.
   */
  direction: 'push' | 'pull' | 'local' | 'list';
  sources: Target[];
  dest: Target | null;
  /** The remote side: of the sources on a pull or list, the destination on a push, null when all is local. */
  remote: ShellTarget | DaemonTarget | null;
  /** The remote side is a daemon that is started through the remote shell (-e with `::`, 1.7). */
  daemonOverShell: boolean;
  /** A list run that asks a daemon for its modules. */
  listModules: boolean;
  /** Paths for the remote side's argument list, unescaped; an empty one is already `.` unless it names modules. */
  remotePaths: ByteString[];
  /** Path of a --files-from that lies on the remote side, '' when there is none. */
  filesFromRemote: ByteString;
}

/** A problem with the arguments, with the name that rsync prints behind the exit code: [sender=…] or [Receiver=…]. */
export class TargetError extends RsyncError {
  constructor(
    message: string,
    readonly role: 'sender' | 'Receiver',
    exitCode: number = Exit.SYNTAX,
  ) {
    super(exitCode, message);
    this.name = 'TargetError';
  }
}

interface HostSpec {
  /** `user@host`, without the brackets of an IPv6 address. */
  login: string;
  port: number;
  rest: ByteString;
}

/**
 * `[user@]host:rest`, or with `url` `[user@]host[:port][/rest]`. A host ends at the first colon or slash; a colon
 * behind a slash is part of a file name. Null when there is no host.
 */
function splitHost(text: ByteString, url: boolean): HostSpec | null {
  const m = /^((?:[^:/[]*@)?)(?:\[([^\]/]+)\](?=[:/]|$)|([^:/@[]*))/s.exec(text) as RegExpExecArray | null;
  if (m === null) return null;
  const login = m[1] + (m[2] ?? m[3]);
  const behind = text.slice(m[0].length);
  if (!url) return behind.startsWith(':') ? { login, port: 0, rest: behind.slice(1) } : null;
  if (behind === '') return { login, port: 0, rest: '' };
  if (behind.startsWith('/')) return { login, port: 0, rest: behind.slice(1) };
  const port = /^:(\d*)(?:\/|$)/.exec(behind);
  if (port === null) return null;
  return { login, port: Number(port[1]), rest: behind.slice(port[0].length) };
}

function splitLogin(login: string): { user: string | null; host: string } {
  const at = login.lastIndexOf('@');
  return at < 0 ? { user: null, host: login } : { user: login.slice(0, at), host: login.slice(at + 1) };
}

function daemonTarget(spec: HostSpec, path: ByteString): DaemonTarget {
  const slash = path.indexOf('/');
  const module = slash < 0 ? path : path.slice(0, slash);
  return { kind: 'daemon', ...splitLogin(spec.login), port: spec.port, module, path };
}

/** `host:path`, `user@host::module/path`, `rsync://user@host:port/module/path`, `[::1]:path`, or a local path. */
export function parseTarget(arg: ByteString): Target {
  if (/^rsync:\/\//i.test(arg)) {
    const spec = splitHost(arg.slice(8), true);
    if (spec !== null) return daemonTarget(spec, spec.rest);
  }
  const spec = splitHost(arg, false);
  if (spec === null) return { kind: 'local', path: arg };
  if (spec.rest.startsWith(':')) return daemonTarget(spec, spec.rest.slice(1));
  return { kind: 'shell', ...splitLogin(spec.login), path: spec.rest };
}

type ClientOptions = Options & GivenOptions;

const shellGiven = (o: ClientOptions) => o.given?.rsh ?? o.rsh !== '';
const loginOf = (t: ShellTarget | DaemonTarget) => (t.user === null ? t.host : `${t.user}@${t.host}`);

/** Finds out what a client's arguments ask for. */
export function planJob(o: ClientOptions): Job {
  if (o.args.length === 0) throw new TargetError('no source was given', 'sender');
  const first = parseTarget(o.args[0]);
  if (o.batch?.kind === 'read') return planFromBatch(o);
  const job = first.kind === 'local' ? planFromLocal(o) : planFromRemote(o, first);
  checkTransport(o, job);
  return job;
}

function planFromRemote(o: ClientOptions, first: ShellTarget | DaemonTarget): Job {
  const fail = (message: string): never => {
    throw new TargetError(message, 'Receiver');
  };
  const args = o.args.slice();
  let dest: Target | null = null;
  const last = args[args.length - 1];
  // A last argument that starts with a colon is one more source: there is no destination then.
  if (args.length > 1 && !last.startsWith(':')) {
    dest = parseTarget(last);
    if (dest.kind !== 'local') fail('The source and destination cannot both be remote.');
    args.pop();
  }
  const filesFromRemote = remoteFilesFrom(o, first, 'Receiver');
  const sources: Target[] = args.map((arg, i) => {
    if (i === 0) return first;
    const source = parseTarget(arg);
    if (source.kind === 'local') {
      return fail(`Unexpected local arg: ${arg}\nIf arg is a remote file/dir, prefix it with a colon (:).`);
    }
    // An empty host stands for the one of the first source.
    if (loginOf(source) !== '' && loginOf(source) !== loginOf(first)) {
      return fail('All source args must come from the same machine.');
    }
    if (source.kind !== first.kind) return fail('All source args must use the same hostspec format.');
    if (source.kind === 'daemon' && first.kind === 'daemon' && (source.port || o.port) !== (first.port || o.port)) {
      return fail('All source args must use the same port number.');
    }
    return { ...source, host: first.host, user: first.user };
  });
  return {
    direction: dest === null ? 'list' : 'pull',
    sources,
    dest,
    remote: first,
    daemonOverShell: first.kind === 'daemon' && shellGiven(o),
    listModules: first.kind === 'daemon' && first.path === '',
    remotePaths: sources.map(remotePath),
    filesFromRemote,
  };
}

/** --read-batch: the last argument is the destination; nothing else is anywhere. */
function planFromBatch(o: ClientOptions): Job {
  const dest = parseTarget(o.args[o.args.length - 1] || '.');
  if (dest.kind !== 'local') {
    throw new TargetError('remote destination is not allowed with --read-batch', 'Receiver');
  }
  const none = { sources: [], remote: null, daemonOverShell: false, listModules: false, remotePaths: [] };
  return { direction: 'pull', dest, filesFromRemote: '', ...none };
}

function planFromLocal(o: ClientOptions): Job {
  const fail = (message: string): never => {
    throw new TargetError(message, 'sender');
  };
  const single = o.args.length === 1;
  const dest = single ? null : parseTarget(o.args[o.args.length - 1]);
  const remote = dest === null || dest.kind === 'local' ? null : dest;
  const filesFromRemote = remoteFilesFrom(o, remote, 'sender');
  const names = single ? o.args : o.args.slice(0, -1);
  const sources = names.map((arg, i): Target => {
    if (arg === '') return fail('Empty source arg specified.');
    if (i > 0 && parseTarget(arg).kind !== 'local') return fail(`Unexpected remote arg: ${arg}`);
    return { kind: 'local', path: arg };
  });
  return {
    direction: single ? 'list' : remote === null ? 'local' : 'push',
    sources,
    dest: dest?.kind === 'local' && dest.path === '' ? { kind: 'local', path: '.' } : dest,
    remote,
    daemonOverShell: remote?.kind === 'daemon' && shellGiven(o),
    listModules: false,
    remotePaths: remote === null ? [] : [remotePath(remote)],
    filesFromRemote,
  };
}

const remotePath = (t: Target) => (t.path === '' && t.kind !== 'daemon' ? '.' : t.path);

/** The path of a --files-from with a host, which must be the host of the transfer. */
function remoteFilesFrom(
  o: ClientOptions,
  remote: ShellTarget | DaemonTarget | null,
  role: 'sender' | 'Receiver',
): ByteString {
  if (o.filesFrom === '' || o.filesFrom === '-') return '';
  const list = parseTarget(o.filesFrom);
  if (list.kind === 'local') return '';
  if (remote === null) throw new TargetError('--files-from cannot be remote when the transfer is local', role);
  if (loginOf(list) !== '' && loginOf(list) !== loginOf(remote)) {
    throw new TargetError('--files-from hostname is not the same as the transfer hostname', role);
  }
  return list.path;
}

function checkTransport(o: ClientOptions, job: Job): void {
  const role = job.direction === 'push' || job.remote === null ? 'sender' : 'Receiver';
  const { remote } = job;
  if (remote?.kind === 'daemon' && remote.path.startsWith('/')) {
    const tail = job.daemonOverShell ? '' : ' not a /';
    throw new TargetError(`ERROR: The remote path must start with a module name${tail}`, role, Exit.STARTCLIENT);
  }
  if (remote?.kind !== 'daemon' && o.passwordFile !== '') {
    throw new TargetError('The --password-file option may only be used when accessing an rsync daemon.', role);
  }
  if (o.contimeout !== 0 && (remote?.kind !== 'daemon' || job.daemonOverShell)) {
    throw new TargetError('The --contimeout option may only be used when connecting to an rsync daemon.', role);
  }
  if (remote?.host.startsWith('-') && (remote.kind === 'shell' || job.daemonOverShell)) {
    throw new TargetError("Invalid remote host: hostnames may not start with '-'.", role);
  }
}
