import { execFileSync, spawnSync } from 'node:child_process';

/**
 * A real rsync daemon that talks over a pipe, as behind a remote shell: reads `config`, believes that the client's
 * address is `address`, gets `lines` behind the greeting, and returns what it answered behind its own.
 */
export function askRealDaemon(config: string, lines: string[], address = '127.0.0.1'): string {
  const input = ['@RSYNCD: 32.0 sha512 sha256 sha1 md5 md4', ...lines, ''].join('\n');
  const done = spawnSync('rsync', ['--server', '--daemon', `--config=${config}`, '.'], {
    input: Buffer.from(input, 'latin1'),
    env: { PATH: process.env.PATH, HOME: process.env.HOME, REMOTE_HOST: address },
    timeout: 10_000,
  });
  const out = done.stdout.toString('latin1');
  return out.slice(out.indexOf('\n') + 1);
}

/** True when there is a real rsync to compare with. */
export function hasRealRsync(): boolean {
  try {
    return /rsync/.test(execFileSync('rsync', ['--version'], { encoding: 'latin1' }));
  } catch {
    return false;
  }
}
