import { Exit } from '../protocol/constants.js';
import { RsyncError } from '../protocol/errors.js';
import { argvBytes } from './cli/options.js';
import { runCommand } from './command/run.js';
import { tempRegistry } from './files/temp.js';
import { allowEngineLimits } from './session/engine.js';

process.on('exit', () => tempRegistry.removeAll());
allowEngineLimits();

// A run that waits for something that can never come would otherwise end here as if all were well.
process.on('beforeExit', () => {
  process.stderr.write('tsrsync: internal error: the run came to a standstill\n');
  process.exit(Exit.CRASHED);
});

runCommand(argvBytes()).then(
  (code) => process.exit(code),
  (error) => {
    // Nothing that a user or a peer does leads here: show the whole error, so that it can be reported and mended.
    process.stderr.write(`tsrsync: internal error: ${error instanceof Error ? error.stack : error}\n`);
    process.exit(error instanceof RsyncError ? error.exitCode : Exit.CRASHED);
  },
);
