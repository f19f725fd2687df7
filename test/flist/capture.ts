import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NdxReader } from '../../protocol/bytes/ndx.js';
import { ByteReader } from '../../protocol/bytes/reader.js';
import { readVarint } from '../../protocol/bytes/varint.js';
import { ByteWriter } from '../../protocol/bytes/writer.js';
import { NDX_DEL_STATS, NDX_DONE, NDX_FLIST_EOF, NDX_FLIST_OFFSET } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import { EntryDecoder } from '../../protocol/flist/decode.js';
import { FileList } from '../../protocol/flist/list.js';
import { finishSegment } from '../../protocol/flist/sort.js';
import type { ListWire } from '../../protocol/flist/wire.js';
import { ItemHeader, readItemHeader } from '../../protocol/request.js';
import { readDelStats, readStats, type Stats } from '../../protocol/stats.js';
import { shellQuote } from '../lib/run.js';

/** Writes a stand-in for a remote shell that starts the server and keeps what both ends say. */
export function recordingShell(dir: string): string {
  const path = join(dir, 'recording-shell');
  const file = (name: string) => shellQuote(join(dir, name));
  const lines = [
    '#!/bin/sh',
    'shift',
    `rm -f ${file('pipe')}; mkfifo ${file('pipe')}`,
    'exec 3<&0',
    `tee ${file('c2s')} <&3 >${file('pipe')} &`,
    'tee=$!',
    `"$@" <${file('pipe')} | tee ${file('s2c')}`,
    'kill $tee',
    '',
  ];
  writeFileSync(path, lines.join('\n'), { mode: 0o755 });
  return path;
}

/** The two directions of the session that was recorded last. */
export function recorded(dir: string): { c2s: Buffer; s2c: Buffer } {
  return { c2s: readFileSync(join(dir, 'c2s')), s2c: readFileSync(join(dir, 's2c')) };
}

export function plainWire(protocol: number, change: Partial<ListWire> = {}): ListWire {
  return {
    protocol,
    varintFlags: protocol >= 30,
    safeList: protocol >= 30,
    incremental: false,
    owner: true,
    group: true,
    numericIds: false,
    devices: true,
    specials: true,
    links: true,
    hardLinks: true,
    times: true,
    atimes: false,
    acls: false,
    xattrs: false,
    sumLength: 0,
    relative: false,
    recurse: true,
    deleteMissingArgs: false,
    id0Names: protocol >= 30,
    names: null,
    ...change,
  };
}

export interface DecodedSession {
  list: FileList;
  decoder: EntryDecoder;
  items: { ndx: number; iflags: number }[];
  done: number;
  stats: Stats | null;
  compatFlags: number;
  /** Bytes behind the last thing that was understood. */
  rest: number;
}

/** Reads one direction of a dry run's bytes to the end, in chunks of `chunk` bytes. */
export class SessionDecoder {
  private readonly reader = new ByteReader();
  private at = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly chunk = bytes.length,
  ) {}

  private more(): boolean {
    if (this.at >= this.bytes.length) return false;
    this.reader.push(this.bytes.subarray(this.at, this.at + this.chunk));
    this.at += this.chunk;
    return true;
  }

  private get<T>(read: (r: ByteReader) => T): T {
    for (;;) {
      this.reader.begin();
      const value = read(this.reader);
      if (this.reader.done()) return value;
      if (!this.more()) throw new Error('the recording ends in the middle of a value');
    }
  }

  private until<T>(read: (r: ByteReader) => T | null | false): T {
    for (;;) {
      const value = read(this.reader);
      if (value !== null && value !== false) return value as T;
      if (!this.more()) throw new Error('the recording ends in the middle of a unit');
    }
  }

  /** The start of a connection: protocol number, compat flags, algorithm lists, seed. Returns the compat flags. */
  handshake(protocol: number, fromServer: boolean, varintFlags: boolean): number {
    this.get((r) => r.i32());
    const flags = fromServer && protocol >= 30 ? this.get(readVarint) : 0;
    if (varintFlags) this.get((r) => r.vstring(255, 'checksum list'));
    if (fromServer) this.get((r) => r.i32());
    return flags;
  }

  frames(): void {
    this.reader.startFrames(() => {});
  }

  /** The next `length` bytes of the data stream. */
  raw(length: number): Buffer {
    return this.get((r) => r.bytes(length));
  }

  private readList(list: FileList, decoder: EntryDecoder, wire: ListWire, parentRow: number): void {
    while (this.until((r) => decoder.next(r) || null) !== 2);
    const segment = list.addSegment(parentRow, wire.incremental);
    finishSegment(list, segment, {
      protocol: wire.protocol,
      removeDuplicates: true,
      incremental: wire.incremental,
      pruneEmptyDirs: false,
    });
  }

  /** What a sender says in a dry run: lists, echoed items, NDX_DONE and, from a server, statistics. */
  sender(wire: ListWire, fromServer: boolean, compatFlags: number): DecodedSession {
    const { protocol } = wire;
    const list = new FileList(wire.sumLength);
    const decoder = new EntryDecoder(wire, list);
    this.readList(list, decoder, wire, -1);
    this.until((r) => decoder.readIdLists(r));
    if (protocol < 30) this.get((r) => r.i32());
    const ndx = new NdxReader(protocol);
    const item = new ItemHeader();
    const out: DecodedSession = { list, decoder, items: [], done: 0, stats: null, compatFlags, rest: 0 };
    let complete = !wire.incremental;
    while (this.reader.buffered > 0 || this.more()) {
      const value = this.get((r) => ndx.read(r));
      if (value === NDX_DONE) {
        out.done++;
        const last = (complete ? (wire.incremental ? list.segments.length : 1) : -1) + (protocol >= 29 ? 2 : 1);
        if (fromServer && out.done === last) out.stats = this.until((r) => readStats(r, protocol));
      } else if (value === NDX_FLIST_EOF) {
        complete = true;
      } else if (value === NDX_DEL_STATS) {
        this.until(readDelStats);
      } else if (value <= NDX_FLIST_OFFSET) {
        this.readList(list, decoder, wire, list.dirRows[NDX_FLIST_OFFSET - value]);
      } else {
        this.until((r) => readItemHeader(r, protocol, item));
        out.items.push({ ndx: value, iflags: item.iflags });
      }
    }
    out.rest = this.reader.buffered;
    return out;
  }
}

/** A writer that keeps what it is given. */
export function collector(): { writer: ByteWriter; taken(): Buffer } {
  const parts: Buffer[] = [];
  const writer = new ByteWriter({
    write: (view, release) => {
      parts.push(Buffer.from(view));
      release();
    },
  });
  const taken = (): Buffer => {
    writer.flush();
    return Buffer.concat(parts.splice(0));
  };
  return { writer, taken };
}

/** The exit code that `fn` ends with; 0 when it does not throw. */
export function exitCodeOf(fn: () => unknown): number {
  try {
    fn();
  } catch (error) {
    if (error instanceof RsyncError) return error.exitCode;
    throw error;
  }
  return 0;
}
