import type { NameForm } from '../../../protocol/charset.js';
import type { FilterList } from '../../../protocol/filter/rules.js';
import type { FileList } from '../../../protocol/flist/list.js';
import type { ByteString, Options } from '../../../protocol/options.js';
import type { ChmodRule } from '../../files/chmod.js';
import type { FileSummer } from '../../files/file-sum.js';
import type { Root } from '../../files/root.js';
import type { RowAttributes } from './row-attributes.js';

/** What a scan of sources needs to know. */
export interface ScanContext {
  options: Options;
  list: FileList;
  protocol: number;
  incremental: boolean;
  /** Rules of the transfer; side 'sender'. */
  filters: FilterList;
  /** Module filters: what they exclude is invisible. They are compared with module-relative paths. */
  daemonFilters: FilterList | null;
  /** With -c: fills the sum of a row from the file at `path`. */
  sumRow: ((row: number, path: Buffer) => void) | null;
  /** The same for open files; null or absent: one after the other by `sumRow`. */
  summer?: FileSummer | null;
  /** What else of a file travels with its row; null or absent: nothing. */
  attributes?: RowAttributes | null;
  /** --iconv: how names travel; null or absent: as they are. */
  names?: NameForm | null;
  /** Takes messages, each ending in a newline; names in them are raw bytes. */
  report(kind: 'error' | 'warning' | 'info', text: ByteString): void;
  /** Told the whole path of each entry that cannot be listed although it is there. */
  failed?(path: ByteString): void;
  /** Directory that relative arguments start from, absolute. */
  cwd: ByteString;
  /** The tree that a confined daemon must not leave; arguments then start from its root. null: paths go anywhere. */
  root: Root | null;
  /** Name of the module, for messages; null or absent for what is no daemon. */
  module?: ByteString | null;
  /** Changes of modes besides --chmod (a module's "outgoing chmod"). */
  chmod?: readonly ChmodRule[];
}
