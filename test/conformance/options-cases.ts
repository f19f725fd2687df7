/** One command line, run by both programs in equal places. */
export interface OptionCase {
  args: string;
  /** Default `src/`; several are separated by spaces. */
  from?: string;
  /** Default `dst/`. */
  to?: string;
  env?: Record<string, string>;
  /** Ways other than the local one make no sense or cannot be compared. */
  localOnly?: boolean;
}

const c = (args: string, more: Omit<OptionCase, 'args'> = {}): OptionCase => ({ args, ...more });

/** What is copied and which attributes it keeps. */
const ATTRIBUTES: OptionCase[] = [
  c('-r'),
  c('-v'),
  c('-rv'),
  c('-a'),
  c('-ai'),
  c('-aii'),
  c('-avv'),
  c('-aiv --no-p'),
  c('-rti'),
  c('-rli'),
  c('-rpi'),
  c('-rtpEi'),
  c('-rEi'),
  c('-rlOti'),
  c('-rltJi'),
  c('-rDi'),
  c('-rogi'),
  c('-ai --no-D --no-g'),
  c('-ai --chmod=F600,D755'),
  c('-ai --chmod=go-rwx,u+X'),
  c('-ri --chmod=a+x'),
  c('-ai --numeric-ids'),
  c('-di'),
  c('-dvi --delete'),
  c('-ni -a'),
  c('-nvi -a --delete'),
];

/** Links. */
const LINKS: OptionCase[] = [
  c('-rLi'),
  c('-rlki'),
  c('-aKi'),
  c('-ai --safe-links'),
  c('-rti --safe-links'),
  c('-ai --copy-unsafe-links'),
  c('-ai --munge-links'),
  c('-rti'),
  c('-aR', { from: 'src/sub/./deep src/a.txt' }),
  c('-aRi', { from: 'src/sub/deep/z src/b.c' }),
  c('-aRi --no-implied-dirs', { from: 'src/sub/deep/z' }),
  c('-ai', { from: 'src/sub src/a.txt src/link' }),
  c('-ai', { from: 'src', to: 'newdir' }),
  c('-ai', { from: 'src/a.txt', to: 'newfile' }),
  c('-ai', { from: 'src/a.txt', to: 'newdir/' }),
  c('-ai', { from: 'src/ ref/' }),
  c('-aix'),
];

/** Which files are taken, and how they are compared. */
const CHOICE: OptionCase[] = [
  c('-aui'),
  c('-aci'),
  c('-aIi'),
  c('-ai --size-only'),
  c('-ai --modify-window=1'),
  c('-ai --modify-window=-1'),
  c('-ai --existing'),
  c('-ai --ignore-existing'),
  c('-aiv --existing --ignore-existing'),
  c('-ai --max-size=1000'),
  c('-ai --min-size=1k'),
  c('-aiv --max-size=50K --min-size=5'),
  c('-aim'),
  c('-aim --include=*/ --include=*.c --exclude=*'),
  c('-ai --exclude=*.o --exclude=/sub/deep'),
  c('-ai --include=sub/ --include=*.c --exclude=*'),
  c('-ai --exclude-from=excludes.txt'),
  c('-ai --filter=._rules.txt'),
  c('-ai --filter=merge_rules.txt --delete'),
  c('-aiC'),
  c('-aiF'),
  c('-aiFF'),
  c('-aiFF --delete'),
  c('-ai --filter=:C'),
  c('-ai --filter=:-_.cvsignore'),
  c('-ai --files-from=list.txt', { from: 'src' }),
  c('-ari --files-from=list.txt', { from: 'src' }),
  c('-ai --no-R --files-from=list.txt', { from: 'src' }),
  c('-ai0 --files-from=list0.txt', { from: 'src' }),
  c('-ai --ignore-missing-args', { from: 'src/a.txt src/none', localOnly: true }),
  c('-ai --delete-missing-args', { from: 'src/a.txt src/extra.txt', localOnly: true }),
];

/** What is removed. */
const DELETIONS: OptionCase[] = [
  c('-ai --delete'),
  c('-ai --del'),
  c('-av --delete'),
  c('-ai --delete-before'),
  c('-ai --delete-delay'),
  c('-ai --delete-after'),
  c('-ai --delete --exclude=*.o'),
  c('-ai --delete-excluded --exclude=*.o'),
  c('-ai --delete --max-delete=2'),
  c('-ai --delete --max-delete=0'),
  c('-ai --force'),
  c('-ai --delete --force --ignore-errors'),
  c('-ai --delete -b'),
  c('-ai --delete -b --suffix=.old'),
  c('-ai --delete -b --backup-dir=kept'),
  c('-ab --backup-dir=kept/deep --delete --exclude=*.o --stats'),
  c('-ai --delete --filter=P_extra* --filter=R_extra.o'),
  c('-ai --remove-source-files'),
  c('-ai --remove-source-files --delete -u'),
  c('-ain --delete --stats'),
];

/** How data travels and where it is put. */
const DATA: OptionCase[] = [
  c('-ai --no-W --stats'),
  c('-aiW --stats'),
  c('-ai --no-W -B 500 --stats'),
  c('-ai --inplace --no-W --stats'),
  c('-ai --append'),
  c('-ai --append-verify --no-W'),
  c('-aiS'),
  c('-aiS --inplace'),
  c('-ai --partial'),
  c('-ai --partial-dir=.parts'),
  c('-ai --delay-updates'),
  c('-ai -T ref'),
  c('-aiz --no-W'),
  c('-ai --compress-choice=zlib --no-W'),
  c('-ai --zc=zlibx --zl=9 --no-W'),
  c('-ai --zc=lz4 --no-W'),
  c('-aiz --skip-compress=jpg/bin --no-W'),
  c('-ai --cc=md5 --no-W'),
  c('-ai --cc=xxh64,md4 --no-W -c'),
  c('-ai --cc=sha1 --no-W'),
  c('-ai --cc=none'),
  c('-ai --checksum-seed=77 --no-W'),
  c('-ai --compare-dest=../ref'),
  c('-ai --copy-dest=../ref'),
  c('-ai --link-dest=../ref', { to: 'fresh/' }),
  c('-ai --compare-dest=../ref --no-W', { to: 'fresh/' }),
  c('-ai --no-inc-recursive --stats'),
  c('-ai --preallocate'),
  c('-ai --fsync'),
  c('-ai --bwlimit=100M'),
  c('-ai --timeout=20'),
  c('-ai --mkpath', { to: 'p/q/r/' }),
  c('-ai', { to: 'p/q/r/' }),
];

/** What is printed. */
const PRINTED: OptionCase[] = [
  c('--list-only'),
  c('-r --list-only'),
  c('-a --list-only --exclude=*.o'),
  c('-rh --list-only'),
  c('-rhh --list-only --no-h'),
  c('-a --stats'),
  c('-ah --stats'),
  c('-ahhh --stats'),
  c('-a --no-h --stats'),
  c('-av --stats -n'),
  c('-aq'),
  c('-aqi'),
  c('-a --progress'),
  c('-aP --no-i-r'),
  c('-a --out-format=%i|%n|%L|%l', { localOnly: true }),
  c('-a --out-format=[%o]%f:%M:%U:%G:%B:%C'),
  c('-a --out-format=%b:%n'),
  c('-a --info=name,del --delete'),
  c('-a --info=name2,copy,misc,skip2 --delete -u'),
  c('-a --info=flist2,stats2'),
  c('-avv --delete -u'),
  c('-a --info=backup,remove,symsafe -b --safe-links --remove-source-files'),
  c('-8ai'),
];

/** What is wrong. */
const WRONG: OptionCase[] = [
  c('-ai', { from: 'src/a.txt nothing-there src/b.c' }),
  c('-ai', { to: 'src/a.txt/x' }),
  c('-r', { from: 'src/ ref/', to: 'src/a.txt' }),
  c('--delete'),
  c('-a --unknown-option', { localOnly: true }),
  c('-a --max-size=lots', { localOnly: true }),
  c('-a --append --whole-file', { localOnly: true }),
  c('-a --inplace --partial-dir=x --delay-updates', { localOnly: true }),
  c('-a --chmod=zz', { localOnly: true }),
  c('-a --compress-choice=best', { localOnly: true }),
  c('-a --checksum-choice=crc', { localOnly: true }),
  c('-a --info=nonsense', { localOnly: true }),
  c('-a --bwlimit=fast', { localOnly: true }),
  c('-a -T missing-temp'),
  c('-a --link-dest=../missing-ref'),
  c('-a --copy-dest=/missing-ref'),
  c('-ai --files-from=missing.txt', { from: 'src' }),
  c('-ai --exclude-from=missing.txt'),
  c('-ai --include-from=missing/x'),
  c('-ai --filter=._missing.txt'),
  c('-ai --filter=bad_rule'),
];

export const OPTION_CASES: readonly OptionCase[] = [
  ...ATTRIBUTES,
  ...LINKS,
  ...CHOICE,
  ...DELETIONS,
  ...DATA,
  ...PRINTED,
  ...WRONG,
];
