import { convertAnyhow } from '../../protocol/charset.js';
import { MAX_TEXT_PAYLOAD, Msg } from '../../protocol/constants.js';
import type { ByteString } from '../../protocol/options.js';
import type { Log } from '../report/log.js';
import type { Connection } from '../transport/connection.js';
import type { Agreement } from './session.js';

/**
 * Where a server's messages go (4.4): to the client as frames once the stream has frames. Before that, and for
 * errors of a server behind a remote shell that may use its standard error, to `local`.
 */
export class WireLog implements Log {
  hadXferError = false;

  constructor(
    private readonly connection: Connection,
    private readonly agreement: Pick<Agreement, 'protocol' | 'charset'>,
    /** The daemon's log, or standard error. */
    private readonly local: Log,
    /** True when errors go to the local log only (remote shell), false when they travel (daemon). */
    private readonly errorsStayLocal: boolean,
    /** Keeps messages that travel, too: the daemon's log, or the file of --log-file. */
    private readonly record: Log | null,
  ) {}

  private send(code: number, text: ByteString, isQuoting = false): boolean {
    const { writer } = this.connection;
    if (!writer.framed) return false;
    const wireCode =
      this.agreement.protocol >= 30
        ? code
        : code === Msg.ERROR
          ? Msg.ERROR_XFER
          : code === Msg.WARNING
            ? Msg.INFO
            : code;
    const travelling = isQuoting ? text : convertAnyhow(this.agreement.charset ?? null, 'toWire', text);
    writer.message(wireCode, Buffer.from(travelling.slice(0, MAX_TEXT_PAYLOAD - 1), 'latin1'));
    return true;
  }

  info(text: ByteString): void {
    if (!this.send(Msg.INFO, text)) this.local.info(text);
    else this.record?.info(text);
  }

  client(text: ByteString): void {
    if (!this.send(Msg.INFO, text)) this.local.client(text);
  }

  warning(text: ByteString): void {
    if (this.errorsStayLocal || !this.send(Msg.WARNING, text)) this.local.warning(text);
    else this.record?.warning(text);
  }

  error(text: ByteString): void {
    if (this.errorsStayLocal || !this.send(Msg.ERROR, text)) this.local.error(text);
    else this.record?.error(text);
  }

  xferError(text: ByteString): void {
    this.fail(text, false);
  }

  quotingError(text: ByteString): void {
    this.fail(text, true);
  }

  private fail(text: ByteString, isQuoting: boolean): void {
    this.hadXferError = true;
    if (this.errorsStayLocal || !this.send(Msg.ERROR_XFER, text, isQuoting)) this.local.error(text);
    else this.record?.error(text);
  }
}
