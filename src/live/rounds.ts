import { Exit } from '../../protocol/constants.js';
import type { RsyncError } from '../../protocol/errors.js';
import type { Gather } from './gather.js';
import type { DeletionGuard } from './guard.js';
import type { MovePolicy } from './move-policy.js';
import type { Move } from './moves.js';
import type { Flight, Pending } from './pending.js';
import type { Results } from './results.js';
import type { Outcome, Sessions } from './sessions.js';

/** What the sessions of one target have in common. */
interface Parts {
  pending: Pending;
  policy: MovePolicy;
  guard: DeletionGuard;
  gather: Gather;
  results: Results;
}

/** Brings over what one target does not have: chooses what kind of session that takes, and settles what came of it. */
export class Rounds {
  /** A session runs that no other may run beside. */
  isAlone = false;

  constructor(
    private readonly parts: Parts,
    /** Told why nothing may be sent until the user has looked at it. */
    private readonly holdBack: (why: string) => void,
  ) {}

  /** Runs a session. `hasCompany`: others run. Resolves with what ended it before its time, else null. */
  async run(lane: Sessions, hasCompany: boolean): Promise<RsyncError | null> {
    const { pending } = this.parts;
    if (hasCompany) return pending.needsFull ? null : this.single(lane);
    this.isAlone = true;
    try {
      if (pending.needsFull) return await this.full(lane);
      for (const move of pending.moves.take()) await this.sendMoved(lane, move);
    } finally {
      this.isAlone = false;
    }
    return this.single(lane);
  }

  private async full(lane: Sessions): Promise<RsyncError | null> {
    const { guard, pending, results } = this.parts;
    const empty = guard.checkSources();
    if (empty !== null) {
      this.holdBack(empty);
      return null;
    }
    const started = Date.now();
    const { fullOptions } = pending;
    const flight = pending.takeAll();
    const { maxDelete } = guard;
    const limit = maxDelete === null ? [] : [`--max-delete=${maxDelete}`];
    const outcome = await lane.full([...limit, ...fullOptions]);
    const isLimited = outcome.code === Exit.DEL_LIMIT && maxDelete !== null;
    if (outcome.error !== null || isLimited) pending.giveBack(flight);
    else pending.landed(flight);
    if (isLimited) {
      this.holdBack(guard.refusal(null));
    } else if (outcome.error === null) {
      guard.done(outcome.session?.stats.files.total ?? null);
      results.noteFailures(outcome, flight);
    }
    results.count(outcome, started, true);
    return outcome.error;
  }

  private async single(lane: Sessions): Promise<RsyncError | null> {
    const { guard, pending, results } = this.parts;
    const held = guard.check(() => pending.peek());
    if (held !== null) {
      this.holdBack(held);
      return null;
    }
    let started = Date.now();
    let flight: Flight | null = null;
    const outcome = await lane.single(async () => {
      started = Date.now();
      flight = await pending.take();
      return pending.wanted(flight);
    });
    this.ended(flight, outcome, started);
    results.count(outcome, started, false);
    return outcome.error;
  }

  /** `flight`: null when there was no connection, so that nothing was taken. */
  private ended(flight: Flight | null, outcome: Outcome, started: number): void {
    const { gather, guard, pending, results } = this.parts;
    gather.note(flight?.count ?? 0, started, Date.now());
    if (outcome.error !== null) {
      if (flight === null) return;
      pending.giveBack(flight);
      if ((outcome.session?.stats.transferredFiles ?? 0) > 0) pending.doubtDirectories(flight);
      return;
    }
    guard.done(null);
    if (flight === null) return;
    pending.landed(flight);
    results.noteFailures(outcome, flight);
  }

  /** Has what moved built from its old place over there, before that is deleted. */
  private async sendMoved(lane: Sessions, move: Move): Promise<void> {
    const { pending, policy, results } = this.parts;
    const options = policy.optionsFor(move);
    if (options !== null) {
      const started = Date.now();
      results.count(await lane.moved(options), started, false);
    }
    // It deleted nothing, and may not have come to its end: the ordinary way finds what is left.
    if (move.isDir) pending.markTree(move.source, move.to);
  }
}
