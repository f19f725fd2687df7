import { existsSync } from 'node:fs';
import t from 'tap';
import { startDaemon } from '../lib/daemon.js';
import { RSYNC, TSRSYNC } from '../lib/project.js';
import { run } from '../lib/run.js';
import { tempDir } from '../lib/temp.js';

const hasTracer = existsSync('/usr/bin/strace');

t.test('--sockopts reaches the socket', { skip: !hasTracer && 'no strace here' }, async (t) => {
  const dir = tempDir(t);
  const daemon = await startDaemon(t, RSYNC, { dir, modules: { m: { path: dir } } });
  const args = ['-f', '-e', 'trace=setsockopt', ...[TSRSYNC.command, ...TSRSYNC.prefix]];
  const traced = await run('strace', [...args, '--sockopts=SO_SNDBUF=65536 IPTOS_THROUGHPUT', daemon.url('m/')]);
  t.equal(traced.code, 0, traced.stderr);
  t.match(traced.stderr, /SO_SNDBUF, \[65536\], 4\) += 0/);
  t.match(traced.stderr, /IP_TOS, \[8\], 4\) += 0/);
});
