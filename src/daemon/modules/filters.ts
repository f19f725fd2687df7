import { Exit } from '../../../protocol/constants.js';
import { RsyncError } from '../../../protocol/errors.js';
import { excludedByParents, FilterList, type FilterReader } from '../../../protocol/filter/rules.js';
import type { ByteString } from '../../../protocol/options.js';
import { errnoText } from '../../report/log.js';
import type { Hidden } from '../../transfer/glob.js';
import { readTrusted } from '../clients/trusted-file.js';
import type { ModuleConfig } from '../config/params.js';
import { SetupError } from '../workers/identity.js';

/** Bytes of a filter file that are read. */
const MAX_FILTER_FILE = 16 << 20;

function build(config: ModuleConfig, reader: FilterReader, protocol: number, isSender: boolean): FilterList | null {
  const { filter, includeFrom, include, excludeFrom, exclude } = config;
  if (`${filter}${includeFrom}${include}${excludeFrom}${exclude}` === '') return null;
  const side = isSender ? 'sender' : 'receiver';
  const list = new FilterList({ side, protocol, deleteExcluded: false, reader });
  if (filter !== '') list.addWords(filter, 'filter');
  if (includeFrom !== '') list.addModuleFile(includeFrom, 'include');
  if (include !== '') list.addWords(include, 'include');
  if (excludeFrom !== '') list.addModuleFile(excludeFrom, 'exclude');
  if (exclude !== '') list.addWords(exclude, 'exclude');
  return list.empty ? null : list;
}

/**
 * Reads the files that a module's filters name, while that is possible: the process that applies them may have another
 * root and other rights. Throws SetupError: a filter that cannot be read must not leave the module open.
 */
export function readFilterFiles(config: ModuleConfig, protocol: number): Record<ByteString, ByteString> {
  const files: Record<ByteString, ByteString> = {};
  const read = (path: ByteString): Buffer => {
    let content: Buffer;
    try {
      content = readTrusted(path, MAX_FILTER_FILE);
    } catch (error) {
      throw new RsyncError(Exit.FILEIO, `rsync: [Receiver] failed to open filter file ${path}: ${errnoText(error)}`);
    }
    files[path] = content.toString('latin1');
    return content;
  };
  try {
    build(config, { read }, protocol, true);
  } catch (error) {
    if (!(error instanceof RsyncError)) throw error;
    throw new SetupError('@ERROR: the filters of the module cannot be used', error.message);
  }
  return files;
}

/** The filters of a module, in the order in which rsyncd.conf(5) gives them weight; null when it has none. */
export function moduleFilters(
  config: ModuleConfig,
  files: Readonly<Record<ByteString, ByteString>>,
  protocol: number,
  isSender: boolean,
): FilterList | null {
  const read = (path: ByteString) => (Object.hasOwn(files, path) ? Buffer.from(files[path], 'latin1') : null);
  return build(config, { read }, protocol, isSender);
}

/** What clients must not see of a module's paths. */
export function hiddenBy(filters: FilterList | null): Hidden {
  if (filters === null) return () => false;
  const scope = filters.root({ read: () => null });
  return (path, isDir) => excludedByParents(scope, path, isDir);
}
