import type { FilterList } from '../../protocol/filter/rules.js';
import type { ByteString } from '../../protocol/options.js';
import type { ChmodRule } from '../files/chmod.js';
import type { ListGuard } from '../receiving/list-guard.js';
import type { ItemContext } from '../report/item.js';
import type { Progress } from '../report/progress.js';
import type { TransferLog } from '../session/item-log.js';
import type { DestinationBase } from './destination.js';
import type { ListAnnouncer } from './list-announcer.js';

/** What a receiving side needs besides its session. */
export interface ReceivingInput {
  dest: ByteString;
  base: DestinationBase;
  filters: FilterList;
  /** A module's own filters, for extended attributes; those for names are in `base`. */
  moduleFilters: FilterList | null;
  /** A module's "incoming chmod". */
  moduleChmod: readonly ChmodRule[];
  itemContext: ItemContext;
  transferLog: TransferLog | null;
  progress: Progress | null;
  announcer: ListAnnouncer | null;
  /** The peer's ids are taken as they are, whatever names it gives them. */
  idsByNumber: boolean;
  /** Both ends are one process: whole files unless asked otherwise. */
  isLocal: boolean;
  /** Looks at the lists of the sender. */
  guard: ListGuard;
}
