import type { Charset } from '../../protocol/charset.js';
import type { FilterList } from '../../protocol/filter/rules.js';
import type { CommandOptions } from '../cli/options.js';
import type { ItemContext } from '../report/item.js';
import type { ClientLog } from '../report/log.js';
import type { ItemListener } from '../session/item-listener.js';
import type { Session } from '../session/session.js';
import type { SendingSide } from '../transfer/sending-side.js';
import type { Connection } from '../transport/connection.js';
import type { BatchFiles } from './batch-files.js';
import type { RunInputs } from './inputs.js';
import type { Job } from './target.js';

/** What a caller wants to be told about a run. */
export interface RunHooks {
  /** Which role this side has, for rsync's closing line. */
  onRole?(role: string): void;
  /** The connection to another machine or a remote shell, before its other end has said anything. */
  onConnection?(connection: Connection): void;
  /** The session, once both sides have agreed; its statistics are complete when the run ends. */
  onSession?(session: Session): void;
  /** Is told of entries in the place of the log. */
  readonly listener?: ItemListener;
}

/** What a command line asks for, and who is told of it. */
export interface RunPlan {
  readonly options: CommandOptions;
  readonly job: Job;
  readonly inputs: RunInputs;
  readonly log: ClientLog;
  readonly hooks: RunHooks;
  /** --iconv: the character set of this side. */
  readonly charset: Charset | null;
  /** What is to be written beside the transfer. */
  readonly batch: BatchFiles | null;
}

/** A run whose sides have agreed and whose rules are exchanged: the file list comes next. */
export interface BegunRun {
  plan: RunPlan;
  session: Session;
  filters: FilterList;
  /** The other side of a copy on this machine, else null. Resolves with its exit code. */
  server: Promise<number> | null;
  /** The sending side, when it was made ahead of time. */
  sending: SendingSide | null;
  /** For the lines about items. */
  context: ItemContext;
}
