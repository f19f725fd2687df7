import type { RunStats } from '../report/stats.js';

/** What a run has done so far. Sizes are bytes, and rates bytes per second. */
export interface RunProgress {
  /** Files whose data has been transferred or is being so, and the bytes of them that are there. */
  transferredFiles: number;
  transferredBytes: number;
  /** All files known so far, those included that need no transfer; `listComplete` when no more of them will come. */
  totalFiles: number;
  totalBytes: number;
  listComplete: boolean;
  /** Bytes on the wire. */
  sent: number;
  received: number;
  /** `transferredBytes` since the progress that was told before. */
  rate: number;
  elapsedMs: number;
}

/** How a transfer is to be run. */
export interface RunOptions {
  /** rsync's options as they would be typed, one word each: `['-az', '--delete', '--exclude=*.tmp']`. */
  options?: readonly string[];
  /** Password for a daemon. Without it RSYNC_PASSWORD or --password-file is used. */
  password?: string;
  /**
   * Ends the run, which rejects with an RsyncError of exit code 20 whose `cause` is the signal's reason. What is unfinished
   * stays only where --partial says so.
   */
  signal?: AbortSignal;
  /*
   * What one of these functions throws ends the run, which rejects with it.
   */
  /** Lines that the command would print on standard output, without their ends. */
  onOutput?(line: string): void;
  /** Lines that the command would print on standard error. */
  onError?(line: string): void;
  /** Called some four times a second, and at the end. */
  onProgress?(progress: RunProgress): void;
}

/** What a run came to. */
export interface RunResult {
  /** 0; 23, 24 or 25 when only a part of the files could be transferred. Any other code is thrown as RsyncError. */
  exitCode: number;
  /** What was counted, as --stats prints it. */
  stats: RunStats;
  /** What went wrong with single files. */
  errors: string[];
}

export type FileType = 'file' | 'directory' | 'symlink' | 'other';

/** A file of a list. */
export interface ListedFile {
  /** Name below the place, as UTF-8 text and as it is. */
  path: string;
  pathBytes: Buffer;
  type: FileType;
  /** Unix mode with the type bits. */
  mode: number;
  /** Bytes. */
  size: number;
  /** Modification time, to the millisecond. */
  mtime: Date;
  /** Target of a symlink. */
  target?: string;
}

/** A file of which a run did something, or, with --dry-run, would do it. */
export interface ChangedItem extends ListedFile {
  /**
   * Data was `sent` or `received`; what has no data, such as a directory, was `created`, or a file out of one that was there
   * already; it was `linked` to another name; only its attributes were `changed`; it is `unchanged` (with -ii).
   */
  action: 'sent' | 'received' | 'created' | 'linked' | 'changed' | 'unchanged';
  /** What differed, as -i prints it: `>f.st......`. */
  changes: string;
  /** What its data took in the stream. */
  bytes: number;
  /** Target of a symlink, or the name that this one is `linked` to. */
  target?: string;
}

/** Something that was deleted at the destination. */
export interface DeletedItem {
  action: 'deleted';
  path: string;
  pathBytes: Buffer;
  /** Where the other side has deleted it, all but directories are files. */
  type: FileType;
}

export type RunItem = ChangedItem | DeletedItem;

/**
 * A run that has been started: a promise of its result, and, for who asks at once, the way to see one item after the
 * other. A loop that is slow slows the run down; one that is left ends the run, which rejects with exit code 20 then.
 *
 *     const run = push('src/', 'host::module', { options: ['-a'] });
 *     for await (const item of run) console.log(item.action, item.path);
 *     const { stats } = await run;
 */
export interface Run<Item, Result> extends Promise<Result>, AsyncIterable<Item> {}

export type TransferRun = Run<RunItem, RunResult>;
