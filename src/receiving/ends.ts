import { ProtocolError } from '../../protocol/errors.js';
import type { Segment } from '../../protocol/flist/list.js';
import type { Progress } from '../report/progress.js';
import type { Landing } from './landing/landing.js';
import type { Receiving } from './receiving.js';

/** Takes the ends of lists and phases (13.1), of which the data stream has one each. */
export class Ends {
  constructor(
    private readonly receiving: Receiving,
    private readonly landing: Landing,
    private readonly progress: Progress | null,
  ) {}

  /** The next end is that of a phase. That of a list is said by this side first, so its files are settled. */
  get isPhase(): boolean {
    const { incremental, list } = this.receiving.session;
    return !(incremental && list.segments.oldest !== null);
  }

  /** An end that stands in a batch file may be taken once this side is as far, too. Others were asked for. */
  mayCome(): boolean {
    const { session, lists, phasesDone, donesOpen, replay } = this.receiving;
    if (replay === null) return true;
    const { segments } = session.list;
    const { oldest } = segments;
    if (oldest !== null) {
      const isLast = segments.ended === segments.length - 1;
      if (session.incremental && isLast && !lists.complete) throw new ProtocolError('NDX_DONE', 'no list is open');
      const isFinal = session.incremental || phasesDone > 0;
      if (!replay.endBefore(oldest.firstNdx + oldest.count, isFinal)) return false;
    }
    return donesOpen > 0;
  }

  /** Takes an end; true when it is that of the last phase. `current`: the list of the last item. */
  take(current: Segment | null): boolean {
    const { receiving } = this;
    const { session, lists } = receiving;
    const { list } = session;
    if (--receiving.donesOpen < 0) throw new ProtocolError('NDX_DONE', 'nothing has ended yet');
    if (!this.isPhase) {
      const ended = list.endSegment();
      const segment = current ?? ended;
      // rsync counts from the list that it worked on last, not from the one that ends.
      this.progress?.endList(segment.firstNdx + segment.count - 2 - segment.number);
      if (list.segments.oldest !== null || !lists.complete) {
        lists.changed.raise();
        return false;
      }
    }
    if (!session.incremental) this.progress?.endList(list.count - 1);
    receiving.phasesDone++;
    if (receiving.phasesDone === 2 && session.options.delayUpdates) {
      this.landing.releaseDelayed((ndx, row) => receiving.onFileDone?.(ndx, row, true));
    }
    lists.changed.raise();
    return receiving.phasesDone > session.maxPhase;
  }
}
