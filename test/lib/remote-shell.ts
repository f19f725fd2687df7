import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Writes a stand-in for ssh into `dir`: it drops its options and the host name, and gives the rest to a shell, as sshd
 * does. Returns the path for -e.
 */
export function fakeRemoteShell(dir: string): string {
  const path = join(dir, 'remote-shell');
  const script = [
    '#!/bin/sh',
    'while :; do',
    '  case "$1" in',
    '    -l|-p) shift 2 ;;',
    '    -*) shift ;;',
    '    *) break ;;',
    '  esac',
    'done',
    'shift',
    'exec /bin/sh -c "$*"',
    '',
  ];
  writeFileSync(path, script.join('\n'), { mode: 0o755 });
  return path;
}
