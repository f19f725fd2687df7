import type { FileOutput } from '../../files/output.js';
import { Kind, Step } from '../../files/thread/queue.js';
import type { Complaints } from '../complaints.js';
import type { Outcome } from '../landing/landing.js';
import type { Receiving } from '../receiving.js';
import { Aside, type AsideOutcome } from './aside.js';
import type { FileRun } from './file-jobs.js';

/** Told what becomes of files that are set aside. */
export interface AsideListener {
  /** The file of a row, which was handed over, is in its place with another length than was listed; `settled` follows. */
  resized(row: number): void;
  /** `copyErrno`: of a file that was handed over, why it could not be read, or 0; -1 for others. */
  settled(ndx: number, row: number, outcome: Outcome, copyErrno: number): void;
  /** Files are in their places: those at [from, from + count) of `ndxs` and `rows`. `copied` of them were handed over. */
  landed(ndxs: Int32Array, rows: Int32Array, from: number, count: number, copied: number): void;
}

/** Small files that are set aside for a thread, and what is said of those that did not land as they should. */
export class SetAside {
  listener: AsideListener | null = null;
  private readonly aside: Aside;

  constructor(
    private readonly receiving: Receiving,
    private readonly complaints: Complaints,
    spill: (data: Uint8Array) => FileOutput | null,
    tell: (error: Error | null) => void,
  ) {
    this.aside = new Aside(receiving, spill, tell);
  }

  begin(): void {
    this.aside.begin();
  }

  /** True when a row's file may be set aside: its content goes to `output`, until `commit`. */
  open(row: number): boolean {
    return this.aside.open(row, this.receiving.session.list.size(row), Kind.WRITE);
  }

  get output(): FileOutput {
    return this.aside;
  }

  /**
   * Leaves the copying of `size` bytes of the open file `fd`, and its closing, to the thread, as soon as `commit` is
   * called. False when that is not possible now.
   */
  openCopy(row: number, fd: number, size: number): boolean {
    return this.aside.open(row, size, Kind.COPY, fd);
  }

  /** The file that was opened is all there: what becomes of it is told, now or later. */
  commit(ndx: number, row: number): void {
    const file = this.aside.commit(ndx, row);
    if (file !== null) this.settle(file);
  }

  /** True when small files can be set aside. */
  get isAtWork(): boolean {
    return this.aside.isAtWork;
  }

  /** False when the files of a run cannot be given now. */
  mayGive(run: FileRun): boolean {
    return this.aside.mayGive(run);
  }

  /** Gives the first files of a run that may be given: how many of them, one at least. `tellMade` is to follow. */
  giveRun(run: FileRun): number {
    return this.aside.giveRun(run);
  }

  /** Deals with those files of a run that were made as it was given. */
  tellMade(run: FileRun): void {
    const { aside } = this;
    const { made, madeWell } = aside;
    aside.made = null;
    aside.madeWell = 0;
    if (madeWell > 0) this.listener?.landed(run.ndxs, run.rows, 0, madeWell, run.data === null ? madeWell : 0);
    if (made !== null) this.settle(made);
  }

  /** Files that were given and not collected. */
  get count(): number {
    return this.aside.underWay;
  }

  /** To be called before this thread waits for anything. */
  rest(): void {
    this.aside.rest();
  }

  /** Deals with the files that the thread is done with. Throws when one could not be written: that ends the run. */
  collect(): void {
    const { aside } = this;
    for (;;) {
      const count = aside.right();
      if (count > 0) {
        const from = aside.oldest;
        aside.take(count);
        this.listener?.landed(aside.ndxs, aside.rows, from, count, aside.copied(from, count));
        continue;
      }
      const file = aside.next();
      if (file === null) return;
      this.settle(file);
    }
  }

  private settle({ ndx, row, isCopy, attributes, landing }: AsideOutcome): void {
    if (attributes !== 0) this.complaints.attribute(row, attributes);
    const isResized = landing >> 16 === Step.RESIZED;
    const outcome = landing === 0 || isResized ? 'ok' : this.complaints.aside(row, landing);
    if (isResized) this.listener?.resized(row);
    const readErrno = landing >> 16 === Step.READ ? landing & 0xffff : 0;
    this.listener?.settled(ndx, row, outcome, isCopy ? readErrno : -1);
  }

  /** The run is over: whatever the thread has got is done, and told as far as there is something to tell. */
  stop(): void {
    this.aside.finish();
    try {
      this.collect();
    } catch {
      // A run that is over for another reason; one that ends well has nothing left here.
    }
    this.aside.leave();
  }
}
