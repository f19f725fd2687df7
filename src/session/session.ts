import { NdxReader, NdxWriter } from '../../protocol/bytes/ndx.js';
import { type Charset, convertAnyhow } from '../../protocol/charset.js';
import { Compat, Exit, IoError, Msg, S_IFDIR, S_IFREG } from '../../protocol/constants.js';
import { PeerExit, RsyncError } from '../../protocol/errors.js';
import { FileList } from '../../protocol/flist/list.js';
import type { Algorithms } from '../../protocol/handshake/algorithms.js';
import { DIGEST_LENGTH } from '../../protocol/hash/digest.js';
import { Kernels } from '../../protocol/kernel/kernel.js';
import type { ByteString, Options } from '../../protocol/options.js';
import type { Log } from '../report/log.js';
import { timeoutAdopted } from '../report/messages.js';
import type { RunStats } from '../report/stats.js';
import type { Connection } from '../transport/connection.js';
import type { BatchRecorder } from './batch-recorder.js';
import { nowMs } from './clock.js';
import type { ItemListener } from './item-listener.js';
import { emptyStats } from './run-stats.js';

/** What the set-up of a connection settled, before the first filter rule is sent (protocol description, sections 1 to 3). */
export interface Agreement {
  protocol: number;
  compatFlags: number;
  algorithms: Algorithms;
  /** Checksum seed, a signed 32-bit number; null on a client, which reads it when it needs it (see `awaitSeed`). */
  seed: number | null;
  /** --iconv: that of this side's names; null or absent without. */
  charset?: Charset | null;
}

/** Which side of a run this is: its place at the connection, and its role. */
export interface Side {
  readonly isServer: boolean;
  readonly isSender: boolean;
}

/** The state of one run that both roles of this side share. */
export class Session implements Side {
  readonly isServer: boolean;
  readonly isSender: boolean;
  readonly protocol: number;
  readonly compatFlags: number;
  readonly algorithms: Algorithms;
  /** --iconv: that of this side's names, which travel in UTF-8; null: they travel as they are. */
  readonly charset: Charset | null;
  private seed: number | null;
  readonly incremental: boolean;
  readonly list: FileList;
  /** Those that this side's digests work with. */
  readonly kernels = new Kernels();
  readonly ndxIn: NdxReader;
  readonly ndxOut: NdxWriter;
  /** Client: writes a batch file; null: none. */
  recorder: BatchRecorder | null = null;
  /** What comes in is a batch file: nobody answers, and nobody reads what is asked. */
  readonly replays: boolean;
  readonly stats: RunStats = emptyStats();
  /** By the clock of `nowMs`. */
  readonly started = nowMs();
  /** Bytes of the set-up, which statistics leave out. */
  private sentBefore = 0;
  private receivedBefore = 0;
  /** io_error bits of both sides together (4.5). */
  ioError = 0;
  /** Sender: those that it had when its lists were sent; with GENERAL among them the other side deletes nothing. */
  listIoError = 0;
  /** Every list of this run has been sent or received. */
  listsComplete = false;
  /** True once the goodbye stage has begun: errors are not announced to the peer any more (13.3). */
  inGoodbye = false;
  /** This side has announced a fatal error, and the peer has answered that. */
  isLeaving = false;
  peerLeft = false;
  /** True while requests are answered; decides how an ERROR_EXIT is answered. */
  inTransfer = false;
  /** Roles register here for the messages that concern them. */
  onSuccess: ((ndx: number) => void) | null = null;
  onNoSend: ((ndx: number) => void) | null = null;
  /** `mode` is that of what was removed; of what the other side removed only its type is known, and that as directory or file. */
  onDeleted: ((path: ByteString, mode: number) => void) | null = null;
  /** Sender: told the whole path of each entry that is there and cannot be sent. */
  onFailed: ((path: ByteString) => void) | null = null;
  /**
   * Sender: of a file with several names none is sent that leads to another file since it was listed. The receiver would
   * join the others with that, under the times of the file that they belong to, and nobody would look at them again.
   */
  keepsLinksApart = false;
  /** Takes what the log would have lines about. */
  listener: ItemListener | null = null;
  /** Bytes that the file which is being transferred still lacks; asked for now and then by who shows progress. */
  bytesLeft: () => number = () => 0;

  constructor(
    readonly connection: Connection,
    readonly options: Options,
    readonly log: Log,
    { isServer, isSender }: Side,
    agreement: Agreement,
  ) {
    this.isServer = isServer;
    this.isSender = isSender;
    this.protocol = agreement.protocol;
    this.compatFlags = agreement.compatFlags;
    this.algorithms = agreement.algorithms;
    this.seed = agreement.seed;
    this.charset = agreement.charset ?? null;
    this.replays = options.batch?.kind === 'read';
    this.incremental = (this.compatFlags & Compat.INC_RECURSE) !== 0;
    const sumLength = options.checksum ? DIGEST_LENGTH[this.algorithms.listSum] : 0;
    this.list = new FileList(sumLength);
    this.list.maxAlloc = options.maxAlloc;
    this.list.tooLarge = () =>
      new RsyncError(Exit.MALLOC, `[${connection.role}] exceeded --max-alloc=${options.maxAlloc} setting`);
    this.ndxIn = new NdxReader(this.protocol);
    this.ndxOut = new NdxWriter(this.protocol);
    this.sentBefore = connection.writer.total + connection.writer.unflushed;
    this.receivedBefore = connection.reader.total - connection.reader.buffered;
  }

  /** Brings `stats.sent` and `stats.received` up to date: the bytes behind the set-up, frame headers included. */
  countTraffic(): void {
    const { reader, writer } = this.connection;
    this.stats.sent = writer.total + writer.unflushed - this.sentBefore;
    this.stats.received = reader.total - this.receivedBefore;
  }

  /** Number of phases before the goodbye (13.1). */
  get maxPhase(): number {
    return this.protocol >= 29 ? 2 : 1;
  }

  /** The digest settings for block and file sums. */
  get sumContext() {
    return {
      protocol: this.protocol,
      seed: this.seed ?? 0,
      seedFix: (this.compatFlags & Compat.CHKSUM_SEED_FIX) !== 0,
      explicit: this.algorithms.sumsExplicit,
      kernels: this.kernels,
    };
  }

  /** 0 before it is known. */
  get checksumSeed(): number {
    return this.seed ?? 0;
  }

  /** From here on this side's output, and on a server its input, is made of frames as far as the version says (4.2). */
  startFrames(): void {
    const { connection, protocol, isServer } = this;
    if (this.replays) return;
    const clientFramed = protocol >= 30 || (!this.isSenderClient() && this.options.removeSourceFiles);
    if (isServer) {
      connection.writer.startFrames();
      if (clientFramed) this.resumeInputFrames();
    } else {
      if (clientFramed) connection.writer.startFrames();
    }
  }

  /**
   * Client: reads the seed, after which the server's stream is made of frames.
   *
   * A server's TCP may hold back what it has to say until its last words are acknowledged, which takes up to 40 ms when
   * this side has nothing to say itself. So this is called late, with output that carries the acknowledgement of the
   * server's lists, and its last byte is kept to carry that of the seed.
   */
  async awaitSeed(): Promise<void> {
    if (this.seed !== null) return;
    const { connection } = this;
    let seed = 0;
    for (;;) {
      connection.reader.begin();
      seed = connection.reader.i32();
      if (connection.reader.done()) break;
      await connection.fill(connection.isMemory ? 0 : 1);
    }
    this.seed = seed;
    this.receivedBefore = connection.reader.total - connection.reader.buffered;
    this.resumeInputFrames();
    connection.flush();
  }

  /** What comes in from here on is made of frames. */
  resumeInputFrames(): void {
    this.connection.reader.startFrames((code, payload) => this.message(code, payload));
  }

  private isSenderClient(): boolean {
    return this.isServer ? !this.isSender : this.isSender;
  }

  /** Takes every frame that is not DATA (4.3 to 4.5, 13.3). */
  private message(code: number, payload: Buffer): void {
    // The answer to an announced end is the last word: what the peer says behind it is about the same end.
    if (this.peerLeft) return;
    switch (code) {
      case Msg.ERROR_XFER:
        this.log.xferError(this.textOf(payload));
        break;
      case Msg.ERROR:
        this.log.error(this.textOf(payload));
        break;
      case Msg.WARNING:
        this.log.warning(this.textOf(payload));
        break;
      case Msg.INFO:
        this.log.info(this.textOf(payload));
        break;
      case Msg.IO_ERROR:
        if (!this.isSender) this.ioError |= payload.readInt32LE(0) & IoError.MASK;
        break;
      case Msg.IO_TIMEOUT:
        this.adoptTimeout(payload.readInt32LE(0));
        break;
      case Msg.ERROR_EXIT:
        this.peerExit(payload.length === 4 ? payload.readInt32LE(0) : null);
        break;
      case Msg.SUCCESS:
        this.onSuccess?.(payload.readInt32LE(0));
        break;
      case Msg.NO_SEND:
        this.onNoSend?.(payload.readInt32LE(0));
        break;
      case Msg.DELETED:
        this.peerDeleted(this.textOf(payload));
        break;
      default:
        break;
    }
  }

  private textOf(payload: Buffer): ByteString {
    return convertAnyhow(this.charset, 'toLocal', payload.toString('latin1'));
  }

  /** A text for the peer. */
  sendText(code: number, text: ByteString): void {
    this.sendMessage(code, Buffer.from(convertAnyhow(this.charset, 'toWire', text), 'latin1'));
  }

  /** The name of a directory ends in NUL (4.3). */
  private peerDeleted(name: ByteString): void {
    const isDir = name.endsWith('\0');
    this.onDeleted?.(isDir ? name.slice(0, -1) : name, isDir ? S_IFDIR : S_IFREG);
  }

  private adoptTimeout(seconds: number): void {
    if (this.isServer || seconds < 1 || seconds > 86400) return;
    const own = this.connection.timeoutSeconds;
    if (own !== 0 && seconds >= own) return;
    if ((this.options.info.misc ?? 0) >= 2) this.log.info(timeoutAdopted(seconds));
    this.connection.setTimeout(seconds);
  }

  private peerExit(code: number | null): void {
    if (this.isLeaving) {
      this.peerLeft = true;
      return;
    }
    const { writer } = this.connection;
    if (writer.framed && this.protocol >= 31 && code !== null) {
      const answer = Buffer.alloc(!this.isSender && this.inTransfer ? 4 : 0);
      if (answer.length > 0) answer.writeInt32LE(code);
      writer.message(Msg.ERROR_EXIT, answer);
      writer.flush();
    }
    this.inGoodbye = true;
    const own = code ?? Exit.PARTIAL;
    throw new PeerExit(own > 0 && own < 256 ? own : Exit.STREAMIO);
  }

  sendMessage(code: number, payload: Uint8Array): void {
    this.connection.writer.message(code, payload);
  }

  sendNumber(code: number, value: number): void {
    const payload = Buffer.alloc(4);
    payload.writeInt32LE(value);
    this.connection.writer.message(code, payload);
  }

  /** The exit code of a run that came to its end (13.4). */
  exitCode(): number {
    let code: number = this.log.hadXferError ? Exit.PARTIAL : Exit.OK;
    if (this.ioError & IoError.GENERAL) code = Exit.PARTIAL;
    else if (this.ioError & IoError.VANISHED) code = code === Exit.OK ? Exit.VANISHED : code;
    else if (this.ioError & IoError.DEL_LIMIT) code = code === Exit.OK ? Exit.DEL_LIMIT : code;
    return code;
  }
}
