import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import { runClient } from '../client/client.js';
import type { MirrorSpec, TargetSpec } from '../live/types.js';
import type { FileLog } from '../report/file-log.js';
import type { ClientLog } from '../report/log.js';
import { targetOptions } from './config/check.js';
import type { ServiceConfig } from './config/types.js';
import type { LogKind } from './service-log.js';
import { SharedSlots } from './slots.js';

/** Sessions at the same time when the configuration sets no limit. */
const AT_ONCE = 4;

/** Hands what a run says to the service's log, with the names of sync and target in front. */
class RunLog implements ClientLog {
  hadXferError = false;
  readonly file: FileLog | null = null;

  constructor(private readonly line: (kind: LogKind, text: ByteString) => void) {}

  info(text: ByteString): void {
    this.line('info', text);
  }
  client(text: ByteString): void {
    this.line('info', text);
  }
  progress(_text: ByteString): void {}
  finishLine(text: ByteString): void {
    this.line('info', text);
  }
  warning(text: ByteString): void {
    this.line('warning', text);
  }
  error(text: ByteString): void {
    this.line('error', text);
  }
  xferError(text: ByteString): void {
    this.hadXferError = true;
    this.line('error', text);
  }
}

/** How bad an exit code is: files that vanished are less than files that failed, and these less than a failed run. */
function severity(code: number): number {
  return code === 0 ? 0 : code === 24 ? 1 : code === 23 || code === 25 ? 2 : 3;
}

function worse(a: number, b: number): number {
  return severity(b) > severity(a) ? b : a;
}

/** Brings every target of every sync in step once. Returns the worst of the exit codes. */
export async function runOnce(config: ServiceConfig, log: (kind: LogKind, text: ByteString) => void): Promise<number> {
  const slots = new SharedSlots(config.totalSessions || AT_ONCE);
  const runs = config.syncs.flatMap(({ spec }) =>
    spec.targets.map(async (target) => {
      const giveBack = await slots.take();
      try {
        return await runTarget(spec, target, (kind, text) => log(kind, `${spec.name}: ${target.name}: ${text}`));
      } finally {
        giveBack();
      }
    }),
  );
  return (await Promise.all(runs)).reduce(worse, 0);
}

async function runTarget(
  spec: MirrorSpec,
  target: TargetSpec,
  line: (kind: LogKind, text: ByteString) => void,
): Promise<number> {
  const started = performance.now();
  try {
    const code = await runClient(targetOptions(spec, target), new RunLog(line));
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (code === 0) line('info', `in step after ${seconds} s`);
    else line('error', `ended with exit code ${code} after ${seconds} s`);
    return code;
  } catch (error) {
    if (!(error instanceof RsyncError)) throw error;
    line('error', `${error.message} (exit code ${error.exitCode})`);
    return error.exitCode;
  }
}
