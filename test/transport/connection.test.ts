import { once } from 'node:events';
import net from 'node:net';
import t, { type Test } from 'tap';
import { Exit, MPLEX_BASE, Msg } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { Connection } from '../../src/transport/connection.js';
import { connectMemory } from '../../src/transport/memory.js';
import { adoptSocket } from '../../src/transport/streams.js';
import { connectTcp } from '../../src/transport/tcp-connect.js';
import { waitFor, within } from '../lib/wait.js';

/** A connection of ours over loopback, and the bare socket at its other end. */
async function overTcp(t: Test, host = '127.0.0.1'): Promise<{ connection: Connection; peer: net.Socket }> {
  const server = net.createServer({ allowHalfOpen: true });
  server.listen(0, host);
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const { port } = server.address() as net.AddressInfo;
  const family = host.includes(':') ? 6 : 4;
  const target = { host, port, localAddress: '', family, connectTimeout: 10 } as const;
  const connection = await connectTcp(target, 'client', String);
  const [peer] = (await accepted) as [net.Socket];
  t.teardown(() => {
    connection.destroy();
    peer.destroy();
    server.close();
  });
  return { connection, peer };
}

/** A step that takes integers until it has seen `last`. */
function integers(connection: Connection, last: number, seen: number[]): () => boolean {
  const { reader } = connection;
  return () => {
    for (;;) {
      reader.begin();
      const value = reader.i32();
      if (!reader.done()) return false;
      seen.push(value);
      if (value === last) return true;
    }
  };
}

function i32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeInt32LE(value, i * 4);
  return bytes;
}

t.test('a step gets what arrives until it has enough, however it is cut', async (t) => {
  const { connection, peer } = await overTcp(t);
  const seen: number[] = [];
  const bytes = i32(1, 2, 3, 4, 5);
  const pumped = connection.pump(integers(connection, 4, seen));
  for (const [from, to] of [
    [0, 3],
    [3, 9],
    [9, 20],
  ]) {
    const { total } = connection.reader;
    peer.write(bytes.subarray(from, to));
    await waitFor(() => connection.reader.total === total + to - from, 10_000, 'the piece');
  }
  await within(pumped, 10_000, 'the step');
  t.same(seen, [1, 2, 3, 4]);
  await within(connection.pump(integers(connection, 5, seen)), 10_000, 'what was there already');
  t.same(seen, [1, 2, 3, 4, 5]);
});

t.test('an answer from within this process repeats the step and does not enter it', async (t) => {
  const [near, far] = connectMemory();
  const asked: number[] = [];
  const seen: number[] = [];
  const ask = (value: number) => {
    near.writer.i32(value);
    near.flush();
  };
  const question = integers(far, 3, asked);
  let answered = 0;
  const answering = far.pump(() => {
    const enough = question();
    for (; answered < asked.length; answered++) far.writer.i32(asked[answered]);
    far.flush();
    return enough;
  });
  const answer = integers(near, 3, seen);
  let depth = 0;
  let deepest = 0;
  let called = 0;
  const pumped = near.pump(() => {
    called++;
    deepest = Math.max(deepest, ++depth);
    const before = seen.length;
    const enough = answer();
    // The answer comes before this returns.
    if (!enough && seen.length > before) ask(seen.length + 1);
    depth--;
    return enough;
  });
  ask(1);
  await within(Promise.all([pumped, answering]), 10_000, 'both');
  t.same(
    [asked, seen],
    [
      [1, 2, 3],
      [1, 2, 3],
    ],
  );
  t.equal(deepest, 1, `of ${called} calls none was within another`);
});

t.test('what a step throws ends the wait, and so does the end of the peer', async (t) => {
  const { connection, peer } = await overTcp(t);
  const failing = connection.pump(() => {
    if (connection.reader.buffered > 0) throw new RsyncError(2, 'no');
    return false;
  });
  peer.write('x');
  await t.rejects(failing, { exitCode: 2, message: 'no' });
  const waiting = connection.pump(() => false);
  peer.end();
  await t.rejects(waiting, {
    exitCode: 12,
    message: 'rsync: connection unexpectedly closed (1 bytes received so far) [client]',
  });
});

t.test('a socket that was accepted goes on where its owner had read', async (t) => {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const peer = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [given] = (await accepted) as [net.Socket];
  const { socket, connection } = adoptSocket(given, i32(1, 2));
  t.teardown(() => {
    connection.destroy();
    peer.destroy();
    server.close();
  });
  peer.write(i32(3));
  const seen: number[] = [];
  await within(connection.pump(integers(connection, 3, seen)), 10_000, 'all three');
  t.same(seen, [1, 2, 3]);
  connection.writer.i32(7);
  connection.flush();
  const [bytes] = await once(peer, 'data');
  t.same(bytes, i32(7));
  t.not(socket, given);
});

t.test('silence: the peer is kept awake at half of the limit, and left at its end', async (t) => {
  const { connection, peer } = await overTcp(t);
  connection.writer.startFrames();
  const heard: Buffer[] = [];
  peer.on('data', (bytes: Buffer) => heard.push(bytes));
  const began = Date.now();
  connection.setTimeout(3);
  const waiting = connection.fill();
  waiting.catch(() => {});
  await waitFor(() => heard.length > 0, 10_000, 'a keep-alive');
  t.same(heard[0], i32(MPLEX_BASE << 24), 'an empty frame');
  connection.quiet = true;
  await t.rejects(waiting, { exitCode: 30, message: /^\[client\] io timeout after \d+ seconds -- exiting$/ });
  t.ok(Date.now() - began >= 3000, 'not before its time');
});

t.test('small pieces that the peer holds back until the first is acknowledged come at once', async (t) => {
  const rounds = 20;
  const { connection, peer } = await overTcp(t);
  // A socket of Node gathers small writes unless told otherwise, as rsync's do.
  peer.on('data', () => {
    peer.write(i32(1));
    setImmediate(() => peer.write(i32(2)));
  });
  const start = performance.now();
  for (let round = 0; round < rounds; round++) {
    connection.writer.i32(round);
    await within(connection.pump(integers(connection, 2, [])), 5000, 'both pieces');
  }
  const ms = performance.now() - start;
  // Where each round waits for the acknowledgement of the first piece, that is 40 ms.
  t.ok(ms < rounds * 20, `${rounds} rounds in ${ms.toFixed(0)} ms`);
});

/** An address is connected to by Node's own handle, a name by way of node:net. */
const WAYS = ['127.0.0.1', '::1', 'localhost'];

for (const host of WAYS) {
  t.test(`more than the kernel takes goes and comes whole: ${host}`, async (t) => {
    const { connection, peer } = await overTcp(t, host);
    const count = 4_000_000;
    peer.pipe(peer);
    let isCongested = false;
    const writing = (async () => {
      for (let value = 0; value < count; value++) {
        connection.writer.i32(value);
        if (!connection.congested) continue;
        isCongested = true;
        await connection.drain();
      }
      connection.finish();
    })();
    let next = 0;
    let wrong = 0;
    const { reader } = connection;
    const step = () => {
      for (;;) {
        reader.begin();
        const value = reader.i32();
        if (!reader.done()) return false;
        if (value !== next++) wrong++;
        if (next === count) return true;
      }
    };
    await within(Promise.all([writing, connection.pump(step)]), 60_000, 'all of it');
    t.equal(wrong, 0);
    t.ok(isCongested);
    t.notOk(await within(connection.fillOrEnd(), 10_000, 'the end'));
  });

  t.test(`a peer that is gone: ${host}`, async (t) => {
    const { connection, peer } = await overTcp(t, host);
    peer.resetAndDestroy();
    await t.rejects(within(connection.fill(), 10_000, 'the end'), { exitCode: 12, message: /unexpectedly closed/ });
    t.notOk(connection.isOpen);
    connection.writer.i32(1);
    connection.flush();
    await within(connection.outputEnded(), 10_000, 'nothing left to send');
    t.equal(connection.writer.pending, 0);
  });

  t.test(`a peer that has told of its end behind a request that nobody has read yet: ${host}`, async (t) => {
    const { connection, peer } = await overTcp(t, host);
    const { reader, writer } = connection;
    reader.startFrames((code, payload) => {
      if (code === Msg.ERROR_EXIT) throw new RsyncError(payload.readInt32LE(0), 'the peer has ended');
    });
    while (!connection.congested) writer.i32(0);
    peer.write(i32((MPLEX_BASE << 24) | 4, 1, ((MPLEX_BASE + Msg.ERROR_EXIT) << 24) | 4, Exit.FILEIO));
    await waitFor(() => reader.total === 16, 10_000, 'its last words');
    peer.resetAndDestroy();
    const sending = async (): Promise<void> => {
      for (;;) {
        await connection.drain();
        await new Promise(setImmediate);
      }
    };
    await t.rejects(within(sending(), 10_000, 'the end'), { exitCode: Exit.FILEIO, message: 'the peer has ended' });
  });

  t.test(`nobody there: ${host}`, async (t) => {
    const server = net.createServer();
    server.listen(0, host);
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    server.close();
    await once(server, 'close');
    const family = host.includes(':') ? 6 : 4;
    const target = { host, port, localAddress: '', family, connectTimeout: 10 } as const;
    await t.rejects(
      connectTcp(target, 'sender', (error) => (error as NodeJS.ErrnoException).code ?? ''),
      { exitCode: 10, message: /^rsync: \[sender\] failed to connect to \S+ \(\S+\): ECONNREFUSED$/ },
    );
  });
}

t.test('without the handles of Node, an address is connected to by node:net', async (t) => {
  const { binding } = process as unknown as { binding: unknown };
  Object.assign(process, { binding: undefined });
  t.teardown(() => Object.assign(process, { binding }));
  const { connection, peer } = await overTcp(t);
  connection.writer.i32(7);
  connection.flush();
  const [bytes] = await once(peer, 'data');
  t.same(bytes, i32(7));
});
