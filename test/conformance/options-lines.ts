/**
 * Lines for a shell in which `rsync` is either program and $D a remote shell that notes its words: what the options make
 * of values that are odd, empty or refused, and what goes to a server. Each is run in a place of its own.
 */
const BASIC = `
rsync -e $D -s -a "h:$PWD/src/*.c" new/
rsync -e $D -s -a "$PWD/src/" "h:$PWD/ds?"
rsync -e $D -s -a "h:src/[ab].c" "h:src/s*/x.c" new/
rsync -aii --delete-missing-args src/none src/extra.txt src/extradir dst
rsync -aii --delete-missing-args --force src/none src/extra.txt src/extradir dst
rsync -aii --delete-missing-args --delete src/none src/extra.txt src/extradir src/sub dst
rsync -a --out-format= src/sub/ new
rsync -av --out-format= src/sub/ new
rsync -a --out-format= -e $D src/sub/ h:$PWD/new
rsync -a --cc=none --out-format='%n %C|' src/ new
rsync -a --log-file=lf --log-file-format= src/sub/ new; grep -v sent lf | cut -d' ' -f4-; rm lf
rsync -an --log-file=lf src/ new; grep -v sent lf | cut -d' ' -f4-; rm lf
rsync -an --log-file=lf -e $D h:$PWD/src/ new; grep -v sent lf | cut -d' ' -f4-; rm lf
rsync -ai --usermap= src/sub dst
rsync -ai --groupmap= src/sub dst
rsync -ai --files-from= src dst
rsync -ai --temp-dir= src/sub dst
rsync -e $D --rsync-path= -a src/sub/ h:$PWD/new 2>/dev/null || true
rsync -a src/sub rsync:///x
rsync -e ' ' -a src/sub none-such:x 2>/dev/null || echo failed
rsync -e '' -a src/sub none-such:x 2>/dev/null || echo failed
RSYNC_RSH= rsync -a src/sub none-such:x 2>/dev/null || echo failed
rsync -e $D -M--daemon -a src/ h:$PWD/new 2>&1 | grep -v closed
rsync -ac --cc=md5,none src/ dst 2>&1 | grep -v '(code' | sort -u
RSYNC_COMPRESS_LIST=none rsync -az --debug=nstr src/ new
rsync -a --max-size=8191p --max-alloc=8191p src/sub/ new
rsync -a --max-size=8192p src/sub/ new
rsync -a --sockopts=FOO,SO_KEEPALIVE=1,BAR=2 src/sub rsync://127.0.0.1:1/x
rsync -a --sockopts=IPTOS_LOWDELAY=1,IPTOS_THROUGHPUT src/sub rsync://127.0.0.1:1/x
rsync -a -4 src/sub rsync://[::1]:1/x
rsync -a -6 src/sub rsync://127.0.0.1:1/x
`;

/** What a user's ~/.popt makes of options; a place is the home of its lines. */
const ALIASES = `
printf 'rsync alias -a -a@-1\\n' >.popt; rsync -ai -e $D src/ h:$PWD/new
printf 'rsync alias --mine -i --out-format "%%n %%l"\\n# rsync alias -a -b\\n' >.popt; rsync -a --mine src/ new
printf 'rsync alias -y -\\\\\\nv\\nother alias -a -r\\n' >.popt; rsync -ay src/sub new
printf 'rsync alias -Z -e\\nrsync alias --sub --exclude\\n' >.popt; rsync -aiZ $D --sub=z src/sub h:$PWD/new
printf 'rsync alias -x --exclude=*.c\\n' >.popt; rsync -aixM -v src/sub new; rsync -ai --exclude -x src/sub new2
printf 'rsync alias -l --no-l\\nrsync alias --server -n\\n' >.popt; rsync -rilt -e $D src/ h:$PWD/new
`;

/** What is told of choices. */
const TOLD = `
rsync -rvv src/
rsync -vv -e $D h:$PWD/src/sub/
rsync -r --debug=proto,own2 src/sub new
rsync -rog --debug=proto,own2 --usermap=*:1 -M--debug=proto,own2 -e $D src/sub h:$PWD/new | grep -v '^set'
rsync -rog --debug=proto,own2 --protocol=30 -e $D h:$PWD/src/ new
rsync -a --debug=own2 --numeric-ids src/sub new
`;

export const OPTION_LINES: readonly string[] = [BASIC, ALIASES, TOLD].flatMap((lines) => lines.trim().split('\n'));
