import { nowMs } from '../session/clock.js';
import type { Session } from '../session/session.js';
import type { RunProgress } from './types.js';

const INTERVAL_MS = 250;

/** Tells now and then how far a run is. It looks at what is counted in any case, so that the run itself does no more for it. */
export class ProgressTimer {
  private session: Session | null = null;
  private readonly timer: NodeJS.Timeout;
  private last = { bytes: 0, ms: 0 };

  constructor(private readonly tell: (progress: RunProgress) => void) {
    this.timer = setInterval(() => this.tick(), INTERVAL_MS);
    this.timer.unref();
  }

  begin(session: Session): void {
    this.session = session;
  }

  /** Tells for the last time. */
  end(): void {
    this.stop();
    this.tick();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const { session, last } = this;
    if (session === null) return;
    const { stats, connection } = session;
    const elapsedMs = nowMs() - session.started;
    const transferredBytes = stats.transferredSize - session.bytesLeft();
    this.last = { bytes: transferredBytes, ms: elapsedMs };
    this.tell({
      transferredFiles: stats.transferredFiles,
      transferredBytes,
      totalFiles: stats.files.total,
      totalBytes: stats.totalSize,
      listComplete: session.listsComplete,
      sent: connection.writer.total,
      received: connection.reader.total,
      rate: ((transferredBytes - last.bytes) * 1000) / Math.max(1, elapsedMs - last.ms),
      elapsedMs,
    });
  }
}
