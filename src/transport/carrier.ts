/**
 * What a connection needs of the thing that carries its bytes. Input is delivered by calling `received`, or `arrived`
 * when it was put into the reader's own space, and `ended`.
 */
export interface Carrier {
  /** Sends a view; `sent` is called when its memory may be used again. */
  write(view: Buffer, sent: () => void): void;
  pauseInput(): void;
  resumeInput(): void;
  /** Tells the peer's machine at once that all has arrived so far. Without it, the carrier decides when. */
  acknowledge?(): void;
  /** No more output; what was written still goes out. */
  endOutput(): void;
  destroy(): void;
}

/** Something that data passes through on its way out (`ByteWriter.startDetour`), in a thread of its own. */
export interface Detour {
  /** A role that produces output should wait. */
  readonly isFull: boolean;
  /** The carrier takes more again. */
  resume(): void;
  /** Waits until all that was given has come back, and ends. */
  settle(): Promise<void>;
  /** Ends at once; what it still has is lost. */
  drop(): void;
}
