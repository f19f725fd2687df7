import type { ByteString } from '../../../protocol/options.js';
import type { Client } from '../clients/access.js';
import type { DaemonConfig } from '../config/config.js';
import type { ModuleConfig } from '../config/params.js';
import { type Admission, handshakeSeconds } from '../greet.js';
import type { HookRequest } from '../hooks/hooks.js';
import type { Identity } from './identity.js';

/*
 * What the daemon's parent and its workers say to each other over their channel: plain data, byte strings as they are.
 */

/** One admitted connection; its socket comes with it. The worker sends the client's `@RSYNCD: OK` or the refusal. */
export interface Job {
  kind: 'serve';
  id: number;
  identity: Identity;
  config: ModuleConfig;
  readOnly: boolean;
  protocol: number;
  client: { address: string; name: string };
  user: ByteString;
  /** Bytes of the client that were read beyond the text, in base64. */
  head: string;
  /** Files that the module's filters name, read while it was possible: a worker may not see them any more. */
  filterFiles: Record<ByteString, ByteString>;
  /** KiB per second that the daemon's command line allows at most, 0 for no limit. */
  bwlimit: number;
  /** False for a daemon behind a remote shell. */
  overTcp: boolean;
  /** Seconds for the arguments. */
  deadline: number;
  /** The parent has to be asked about the client's request before anything of it is done. */
  asks: boolean;
  /** User and group names are asked of the parent, on a descriptor of the worker's own: it must have no other connection. */
  convertsNames: boolean;
  /** The connection is on standard input and output, and comes with no message. */
  onStdio: boolean;
}

export type ToWorker =
  | Job
  /** What "pre-xfer exec" has said: why the transfer must not be, or null. */
  | { kind: 'answer'; id: number; refusal: ByteString | null };

export type FromWorker =
  /** The worker has loaded everything it may need. */
  | { kind: 'ready' }
  | { kind: 'request'; id: number; request: HookRequest }
  /**
   * A connection is over, with this exit code. `bound` tells whether the worker belongs to its identity now, `spoiled` that it could take on
   * only a part of it.
   */
  | { kind: 'done'; id: number; code: number; bound: boolean; spoiled: boolean };

/** What the daemon's parent and its gate say to each other; `stay` and `question` are numbers of the one who asks. */
export type ToGate =
  | { kind: 'gate'; config: DaemonConfig; overrides: Overrides }
  /** A new connection; its socket comes with it. */
  | { kind: 'client'; client: Client; head: string }
  | { kind: 'request'; stay: number; question: number; request: HookRequest }
  | { kind: 'convert'; stay: number; question: number; request: ByteString }
  | { kind: 'over'; stay: number; status: number }
  | { kind: 'leave'; now: boolean };

export type FromGate =
  | { kind: 'failed' }
  /** An admitted connection, with its socket. */
  | { kind: 'pass'; key: string; job: Job; stay: number; hasHooks: boolean }
  | { kind: 'answer'; question: number; text: ByteString | null };

/** Overrides of the daemon's command line that concern each connection. */
export interface Overrides {
  logFile: ByteString;
  logFormat: ByteString;
  bwlimit: number;
}

/** The job of an admitted client; its id is the caller's to give. */
export function jobFor(admission: Admission, overrides: Overrides, head: string, overTcp: boolean): Job {
  const { identity, readOnly, protocol, client, user, filterFiles } = admission;
  const config = { ...admission.config };
  // --log-file is the daemon's; what the file says of its modules stands.
  config.logFile ||= overrides.logFile;
  if (overrides.logFormat !== '') {
    config.transferLogging = true;
    config.logFormat = overrides.logFormat;
  }
  return {
    kind: 'serve',
    id: 0,
    identity,
    config,
    readOnly,
    protocol,
    client,
    user,
    head,
    filterFiles,
    bwlimit: overrides.bwlimit,
    overTcp,
    deadline: handshakeSeconds(config),
    asks: admission.stay.hooks?.wantsRequest ?? false,
    convertsNames: admission.stay.hooks?.convertsNames ?? false,
    onStdio: false,
  };
}
