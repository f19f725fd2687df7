import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { argvBytes } from '../cli/options.js';
import { tempRegistry } from '../files/temp.js';
import { stayForLong } from '../session/engine.js';
import { runLiveCommand } from './command.js';

process.on('exit', () => tempRegistry.removeAll());

stayForLong();
runLiveCommand(argvBytes()).then(
  (code) => process.exit(code),
  (error) => {
    const known = error instanceof RsyncError;
    const text = known ? error.message : `internal error: ${error instanceof Error ? error.stack : error}`;
    process.stderr.write(Buffer.from(`tsrsync-live: ${text}\n`, 'latin1'));
    process.exit(known ? error.exitCode : Exit.CRASHED);
  },
);
