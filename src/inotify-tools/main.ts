import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { argvBytes } from '../cli/options.js';

/** Runs a command and ends the process with its exit code. */
export function runMain(run: (args: readonly ByteString[]) => Promise<number>): void {
  run(argvBytes()).then(
    (code) => process.exit(code),
    (error) => {
      // What can go wrong by the user's doing has its own messages; koffi may be missing, the rest is a mistake of ours.
      process.stderr.write(`${error instanceof RsyncError ? error.message : (error as Error).stack}\n`);
      process.exit(1);
    },
  );
}
