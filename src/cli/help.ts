/** Texts of --help. */
import { RSYNC_VERSION } from './version.js';

const USAGE = `tsrsync: rsync in TypeScript (speaks to rsync ${RSYNC_VERSION})

Usage: tsrsync [OPTION]... SRC [SRC]... DEST
  or   tsrsync [OPTION]... SRC [SRC]... [USER@]HOST:DEST
  or   tsrsync [OPTION]... SRC [SRC]... [USER@]HOST::MODULE/DEST
  or   tsrsync [OPTION]... SRC [SRC]... rsync://[USER@]HOST[:PORT]/MODULE/DEST
  or   tsrsync [OPTION]... [USER@]HOST:SRC [DEST]
  or   tsrsync [OPTION]... [USER@]HOST::MODULE/SRC [DEST]
  or   tsrsync [OPTION]... rsync://[USER@]HOST[:PORT]/MODULE/SRC [DEST]
One ':' goes through the remote shell, '::' and rsync:// go to an rsync daemon.
Without DEST the files are listed; HOST:: lists a daemon's modules.

Options
`;

const OPTIONS = `
--verbose, -v            tell more about what is done (may be repeated)
--info=FLAGS             choose what is told (--info=help lists the words)
--debug=FLAGS            choose debug output (--debug=help lists the words)
--stderr=e|a|c           errors, all or client: which messages use stderr
--quiet, -q              only tell about errors
--no-motd                leave out the daemon's message of the day
--checksum, -c           compare contents by checksum, not by time and size
--archive, -a            the same as -rlptgoD
--no-OPTION              take back an option that another one implies
--recursive, -r          go into directories
--inc-recursive, --i-r   send the file list in pieces (the default)
--no-inc-recursive       build the whole file list first
--no-i-r                 the same as --no-inc-recursive
--relative, -R           keep the whole path of each source
--no-implied-dirs        with -R, leave parent directories as they are
--backup, -b             keep what is replaced or deleted
--backup-dir=DIR         keep it in a tree of its own
--suffix=SUFFIX          ending of backups (~ unless there is a --backup-dir)
--update, -u             leave files that are newer at the destination
--inplace                write into existing files
--append                 send only what longer sources have at their end
--append-verify          the same, and check the old part
--dirs, -d               take directories, but not what is in them
--old-dirs, --old-d      --dirs for a very old peer
--mkpath                 make missing parents of the destination
--links, -l              copy symlinks as symlinks
--copy-links, -L         copy what symlinks point to
--copy-unsafe-links      do so for links that leave the tree
--safe-links             pass over links that leave the tree
--insecure-links         follow symlinks of other users in given paths
--confine-root=DIR       given paths must lie below DIR
--munge-links            make symlinks unusable, but recoverable
--copy-dirlinks, -k      copy a symlink to a directory as that directory
--keep-dirlinks, -K      accept a symlink to a directory as directory
--hard-links, -H         keep hard links
--perms, -p              keep permissions
--executability, -E      keep whether a file can be executed
--chmod=CHANGES          change permissions on the way
--acls, -A               keep ACLs (implies --perms)
--xattrs, -X             keep extended attributes
--owner, -o              keep the owner (super-user only)
--group, -g              keep the group
--devices                keep device files (super-user only)
--copy-devices           copy what a device contains
--write-devices          write to devices as to files (implies --inplace)
--specials               keep sockets and fifos
--drop-D                 make no devices and special files when receiving
-D                       the same as --devices --specials
--times, -t              keep modification times
--atimes, -U             keep access times
--open-noatime           read files without changing their access time
--crtimes, -N            keep creation times (not on Linux)
--omit-dir-times, -O     leave out directories from --times
--omit-link-times, -J    leave out symlinks from --times
--super                  try what only the super-user may
--fake-super             keep such attributes in extended attributes
--sparse, -S             make holes of long runs of zeros
--preallocate            reserve the room of a file before it is written
--dry-run, -n            only tell what would be done
--whole-file, -W         send whole files, without the delta algorithm
--no-whole-file, --no-W  use the delta algorithm, even locally
--checksum-choice=STR    choose checksums (also --cc)
--one-file-system, -x    stay on the source's file system
--block-size=SIZE, -B    size of the blocks that are compared
--rsh=COMMAND, -e        the remote shell
--rsync-path=PROGRAM     the program to run on the other side
--existing               make no new files
--ignore-non-existing    the same as --existing
--ignore-existing        leave files that exist
--remove-source-files    remove files from the source once they are sent
--del                    the same as --delete-during
--delete                 delete what the source does not have
--delete-before          ... before the transfer
--delete-during          ... as the transfer goes
--delete-delay           ... found as it goes, deleted after it
--delete-after           ... after the transfer
--delete-excluded        delete what is excluded, too
--ignore-missing-args    say nothing about sources that do not exist
--delete-missing-args    delete them at the destination
--ignore-errors          delete although there were read errors
--force                  replace directories that are not empty
--max-delete=NUM         delete no more than NUM
--max-size=SIZE          pass over files above SIZE
--min-size=SIZE          pass over files below SIZE
--max-alloc=SIZE         limit of one allocation
--partial                keep a file whose transfer was cut off
--partial-dir=DIR        keep it in DIR
--delay-updates          put all files in place at the end
--prune-empty-dirs, -m   leave out directories without files
--numeric-ids            keep the numbers of users and groups, not the names
--usermap=STRING         translate user names
--groupmap=STRING        translate group names
--chown=USER:GROUP       give everything to one user and group
--timeout=SECONDS        end when nothing came for so long
--contimeout=SECONDS     end when a daemon does not answer for so long
--ignore-times, -I       look at files although time and size are the same
--size-only              compare sizes only
--modify-window=NUM, -@  times this close are the same
--temp-dir=DIR, -T       place of files that are being written
--fuzzy, -y              look for a similar file as basis
--compare-dest=DIR       leave out files that DIR has
--copy-dest=DIR          ... but copy them from there
--link-dest=DIR          ... but hard-link them from there
--compress, -z           compress what is sent
--compress-choice=STR    choose the compression (also --zc)
--compress-level=NUM     its level (also --zl)
--compress-threads=NUM   its threads (also --zt)
--skip-compress=LIST     endings of files that are not worth it (no effect, as in rsync)
--cvs-exclude, -C        leave out what CVS leaves out
--filter=RULE, -f        add a filter rule
-F                       rules from .rsync-filter in each directory;
                         repeated: and leave those files out
--exclude=PATTERN        leave out what matches
--exclude-from=FILE      read such patterns from FILE
--include=PATTERN        do not leave out what matches
--include-from=FILE      read such patterns from FILE
--files-from=FILE        read the names of the sources from FILE
--from0, -0              names and patterns in files end with NUL
--old-args               let the remote shell split the arguments
--secluded-args, -s      keep the arguments away from the remote shell
--trust-sender           do not check the sender's file list
--copy-as=USER[:GROUP]   do the copying as that user
--address=ADDRESS        own address for a connection to a daemon
--port=PORT              port of the daemon
--sockopts=OPTIONS       TCP options
--blocking-io            blocking I/O for the remote shell
--outbuf=N|L|B           no, line or block buffering of output
--stats                  print statistics
--8-bit-output, -8       print bytes above 127 as they are
--human-readable, -h     print numbers with units
--progress               show progress
-P                       the same as --partial --progress
--itemize-changes, -i    print what changes about each item
--remote-option=OPT, -M  give OPT to the other side only
--out-format=FORMAT      print each item in this format
--log-file=FILE          write a log
--log-file-format=FMT    format of items in the log
--password-file=FILE     password for a daemon
--early-input=FILE       input for a daemon's early exec
--watch                  then send each change of the sources as it happens
--list-only              list files, copy nothing
--bwlimit=RATE           limit of the bandwidth
--stop-after=MINS        stop after so many minutes
--stop-at=y-m-dTh:m      stop at this time
--fsync                  fsync each file that is written
--write-batch=FILE       record the update
--only-write-batch=FILE  record it without doing it
--read-batch=FILE        do a recorded update
--protocol=NUM           use an older protocol
--iconv=CONVERT_SPEC     convert the character set of names
--checksum-seed=NUM      seed of the checksums
--ipv4, -4               prefer IPv4
--ipv6, -6               prefer IPv6
--version, -V            print version and abilities
--help, -h (*)           print this (* -h only when it is alone)

See "tsrsync --daemon --help" for the options of a daemon.
`.trimStart();

const DAEMON = `tsrsync: rsync in TypeScript (speaks to rsync ${RSYNC_VERSION})

Usage: tsrsync --daemon [OPTION]...
--daemon                 serve as an rsync daemon
--address=ADDRESS        address to listen on
--bwlimit=RATE           limit of the bandwidth
--config=FILE            configuration instead of /etc/rsyncd.conf
--dparam=NAME=VALUE, -M  overrule a global parameter of the configuration
--no-detach              stay in the foreground
--port=PORT              port to listen on
--log-file=FILE          overrule "log file"
--log-file-format=FMT    overrule "log format"
--sockopts=OPTIONS       TCP options
--verbose, -v            tell more
--ipv4, -4               prefer IPv4
--ipv6, -6               prefer IPv6
--help, -h               print this
`;

/** The usage page of the client. */
export function helpText(): string {
  return USAGE + OPTIONS;
}

/** The usage page of --daemon. */
export function daemonHelpText(): string {
  return DAEMON;
}
