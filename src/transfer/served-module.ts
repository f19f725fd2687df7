import type { FilterList } from '../../protocol/filter/rules.js';
import type { ByteString } from '../../protocol/options.js';
import type { ChmodRule } from '../files/chmod.js';
import type { Root } from '../files/root.js';
import type { ItemContext } from '../report/item.js';

/** What a daemon's module allows and adds to a session. */
export interface ServedModule {
  name: ByteString;
  /** Absolute path of the module as this process sees it: '/' inside a chroot. */
  path: ByteString;
  /** The same as the configuration has it, for %P. */
  configuredPath: ByteString;
  /** Its path in messages about what options name, where it is no root of its own; else null. */
  innerRoot: ByteString | null;
  /** The held tree when the process is not in a chroot. */
  confined: Root | null;
  /** It is a part of a root, and links must not lead out of it. */
  partial: boolean;
  readOnly: boolean;
  writeOnly: boolean;
  /** The module's own filters; null when it has none. */
  filters: FilterList | null;
  /** "incoming chmod" for a receiver, "outgoing chmod" for a sender. */
  chmod: readonly ChmodRule[];
  /** User and group names are left alone on this side ("numeric ids"); the lists of names still travel. */
  idsByNumber: boolean;
  /** Seconds without traffic, 0 for none. */
  timeout: number;
  /** Who the client is, for the transfer log. */
  client: Pick<ItemContext, 'host' | 'addr' | 'authUser'>;
}
