import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { notifyService } from '../../src/libc/service.js';
import { tempDir } from '../lib/temp.js';

/** A service manager: prints each datagram that it gets. */
const MANAGER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace('@', '\\0', 1))
print('bound', flush=True)
while True: print(s.recv(4096), flush=True)`;

async function manager(t: Test, name: string) {
  const child = spawn('python3', ['-c', MANAGER, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill());
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  return lines;
}

t.test('a service manager is told', async (t) => {
  for (const name of [join(tempDir(t), 'notify'), `@tsrsync-test-${process.pid}`]) {
    const lines = await manager(t, name);
    const told = once(lines, 'line');
    t.equal(notifyService('READY=1\nSTATUS=in step', name), true);
    t.same(await told, ["b'READY=1\\nSTATUS=in step'"], name);
  }
});

t.test('no manager, and one that is not there', async (t) => {
  t.equal(notifyService('READY=1', undefined), false);
  t.equal(notifyService('READY=1', 'nonsense'), false);
  t.throws(() => notifyService('READY=1', join(tempDir(t), 'nobody')), { code: 'ENOENT' });
  t.throws(() => notifyService('READY=1', `/${'x'.repeat(200)}`), { code: 'ENAMETOOLONG' });
});
