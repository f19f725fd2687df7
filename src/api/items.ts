import { Item, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, SIGNIFICANT_ITEM_FLAGS } from '../../protocol/constants.js';
import type { FileList } from '../../protocol/flist/list.js';
import type { ByteString } from '../../protocol/options.js';
import { type ItemContext, itemizeFlags, type ReportItem } from '../report/item.js';
import { toText } from './text.js';
import type { ChangedItem, DeletedItem, FileType, ListedFile } from './types.js';

function typeOf(mode: number): FileType {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 'file';
    case S_IFDIR:
      return 'directory';
    case S_IFLNK:
      return 'symlink';
    default:
      return 'other';
  }
}

/** An entry of a list as a program sees it. */
export function listedFile(list: FileList, row: number): ListedFile {
  const pathBytes = Buffer.from(list.path(row), 'latin1');
  const mode = list.mode(row);
  const file: ListedFile = {
    path: pathBytes.toString('utf8'),
    pathBytes,
    type: typeOf(mode),
    mode,
    size: list.size(row),
    mtime: new Date(list.mtime(row) * 1000 + Math.floor(list.nsec(row) / 1e6)),
  };
  if (file.type === 'symlink' && list.extra(row) >= 0) file.target = toText(list.target(row).toString('latin1'));
  return file;
}

function actionOf(iflags: number, { direction }: ItemContext): ChangedItem['action'] {
  if (iflags & Item.TRANSFER) return direction === 'send' ? 'sent' : 'received';
  if (iflags & Item.LOCAL_CHANGE) return iflags & Item.XNAME_FOLLOWS ? 'linked' : 'created';
  return iflags & SIGNIFICANT_ITEM_FLAGS ? 'changed' : 'unchanged';
}

export function changedItem({ list, row, iflags, xname, bytesWritten }: ReportItem, context: ItemContext): ChangedItem {
  const file = listedFile(list, row);
  const action = actionOf(iflags, context);
  const item = { ...file, action, changes: itemizeFlags(iflags, file.mode, context), bytes: bytesWritten ?? 0 };
  if (action === 'linked' && xname !== null && xname.length > 0) item.target = xname.toString('utf8');
  return item;
}

export function deletedItem(path: ByteString, mode: number): DeletedItem {
  const pathBytes = Buffer.from(path, 'latin1');
  return { action: 'deleted', path: pathBytes.toString('utf8'), pathBytes, type: typeOf(mode) };
}
