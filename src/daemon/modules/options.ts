import { limitLevels } from '../../../protocol/handshake/levels.js';
import type { Options } from '../../../protocol/options.js';
import type { ModuleConfig } from '../config/params.js';
import type { Place } from '../workers/identity.js';
import type { Job } from '../workers/job.js';

/** Whether links are stored with a prefix that keeps them from being followed: unless the module is a new root. */
export function mungesLinks(config: ModuleConfig, place: Place): boolean {
  return config.mungeSymlinks ?? (!place.chrooted || place.partial);
}

/**
 * Applies a module's settings to a client's options; what the client may not decide is overruled. Returns whether
 * user and group names are left alone on this side, which is not the same as --numeric-ids: the lists of names still
 * travel.
 */
export function applyModule(options: Options, job: Job, place: Place): boolean {
  const { config } = job;
  options.server = true;
  options.quiet = false;
  options.daemon = true;
  // A daemon has no standard error that a client could see, unless a remote shell runs it.
  if (job.overTcp) options.stderrMode = 'client';
  if (config.openNoatime !== null) options.openNoatime = config.openNoatime;
  options.mungeLinks = mungesLinks(config, place);
  if (config.ignoreErrors) options.ignoreErrors = true;
  if (config.fakeSuper) {
    options.fakeSuper = true;
  } else if (options.fakeSuper) {
    options.fakeSuper = false;
    options.superUser = 1;
  }
  if (job.bwlimit > 0 && (options.bwlimit === 0 || options.bwlimit > job.bwlimit)) options.bwlimit = job.bwlimit;
  options.ignoreNonreadable = config.ignoreNonreadable;
  options.storesData = config.dontCompress.split(' ').includes('*');
  if (options.tempDir === '') options.tempDir = config.tempDir;
  limitLevels(options.info, 'info', config.maxVerbosity);
  limitLevels(options.debug, 'debug', config.maxVerbosity);
  if (options.numericIds) return true;
  // Nobody knows names in a new root, unless there is somebody to ask.
  if (place.chrooted) return config.numericIds !== false && !job.convertsNames;
  return config.numericIds === true;
}
