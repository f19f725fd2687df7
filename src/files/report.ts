import type { ByteString } from '../../protocol/options.js';

/**
 * Where the file functions tell what went wrong with one item. The run goes on; the session turns each problem into
 * rsync's line and into exit code 23.
 */
export interface Reporter {
  /** A name for messages, in quotes: whole path, or path below the module and its name: `"a/b" (in backup)`. */
  fullName(name: ByteString): ByteString;
  /** Prints `text: STRERROR (ERRNO)`; `error` is what a file-system call threw, or a positive error number. */
  problem(text: ByteString, error: unknown): void;
  /** Prints `text`; the run ends with code 23. */
  failure(text: ByteString): void;
  /** Prints `text: STRERROR (ERRNO)` as a warning: the exit code stays. */
  warning(text: ByteString, error: unknown): void;
  info(text: ByteString): void;
}
