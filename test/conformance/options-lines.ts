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
rsync -a -4 src/sub rsync://[::1]:1/x
rsync -a -6 src/sub rsync://127.0.0.1:1/x
`;

export const OPTION_LINES: readonly string[] = BASIC.trim().split('\n');
