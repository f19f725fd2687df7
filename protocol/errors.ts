import { Exit } from './constants.js';

/** An error that ends a run. `exitCode` is the one that rsync would give; `message` is what the user reads. */
export class RsyncError extends Error {
  /** The text and the closing line with the exit code have been shown. */
  told = false;
  /** In a program: all that would be on standard error, what the peer said included. */
  messages: readonly string[] = [];

  constructor(
    readonly exitCode: number,
    message: string,
    /** True when the text has been shown already, or when the code itself says everything. */
    readonly silent = false,
  ) {
    super(message);
    this.name = 'RsyncError';
  }
}

/** The peer ended the run and has said why: this side ends with the same exit code and says nothing more. */
export class PeerExit extends RsyncError {
  constructor(exitCode: number) {
    super(exitCode, '', true);
    this.name = 'PeerExit';
    this.told = true;
  }
}

/** A peer broke the protocol: `field` names the value that was out of bounds. */
export class ProtocolError extends RsyncError {
  constructor(
    readonly field: string,
    detail: string | number,
    exitCode: number = Exit.PROTOCOL,
  ) {
    super(exitCode, `invalid ${field}: ${detail}`);
    this.name = 'ProtocolError';
  }
}

/** What rsync writes behind "rsync error:" for each exit code. */
export const EXIT_TEXT: Readonly<Record<number, string>> = {
  1: 'syntax or usage error',
  2: 'protocol incompatibility',
  3: 'errors selecting input/output files, dirs',
  4: 'requested action not supported',
  5: 'error starting client-server protocol',
  6: 'daemon unable to append to log-file',
  10: 'error in socket IO',
  11: 'error in file IO',
  12: 'error in rsync protocol data stream',
  13: 'errors with program diagnostics',
  14: 'error in IPC code',
  15: 'sibling process crashed',
  16: 'sibling process terminated abnormally',
  19: 'received SIGUSR1',
  20: 'received SIGINT, SIGTERM, or SIGHUP',
  21: 'waitpid() failed',
  22: 'error allocating core memory buffers',
  23: 'some files/attrs were not transferred (see previous errors)',
  24: 'some files vanished before they could be transferred',
  25: 'the --max-delete limit stopped deletions',
  30: 'timeout in data send/receive',
  35: 'timeout waiting for daemon connection',
  124: 'remote shell failed',
  125: 'remote shell killed',
  126: 'remote command could not be run',
  127: 'remote command not found',
};
