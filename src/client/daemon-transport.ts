import { spawn } from 'node:child_process';
import { Exit } from '../../protocol/constants.js';
import { RsyncError } from '../../protocol/errors.js';
import type { ByteString } from '../../protocol/options.js';
import type { CommandOptions } from '../cli/options.js';
import { errnoText } from '../report/errno.js';
import type { Log } from '../report/log.js';
import { connectedTo, openingTcp, runningProgram, throughProxy } from '../report/messages.js';
import type { Connection } from '../transport/connection.js';
import { applySocketOptions, parseSocketOptions } from '../transport/socket-options.js';
import { socketPair } from '../transport/streams.js';
import { connectTcp, type TcpTarget } from '../transport/tcp-connect.js';
import { openTunnel, parseProxy } from './web-proxy.js';

/**
 * Opens the connection to a daemon: over TCP, through the web proxy that RSYNC_PROXY names, or over the standard input and
 * output of the program in RSYNC_CONNECT_PROG. Errors: exit code 10, 35 after --contimeout.
 */
export async function connectDaemon(
  o: CommandOptions,
  host: ByteString,
  port: number,
  role: string,
  log: Log,
): Promise<Connection> {
  const { RSYNC_CONNECT_PROG: program, RSYNC_PROXY: proxy } = process.env;
  const debug = o.debug.connect ?? 0;
  if (program !== undefined) {
    if (debug >= 1) log.info(`Using RSYNC_CONNECT_PROG instead of ${openingTcp(host, port)}`);
    const command = connectCommand(program, host);
    if ((o.debug.cmd ?? 0) >= 1) log.info(runningProgram(command));
    return runProgram(command, role);
  }
  if (debug >= 1) log.info(openingTcp(host, port));
  const via = proxy ? parseProxy(proxy) : null;
  if (via !== null && debug >= 1) log.info(throughProxy(via.host, via.port));
  const settings = parseSocketOptions(o.sockopts, (text) => log.error(text));
  const target: TcpTarget = {
    host: via?.host ?? host,
    port: via?.port ?? port,
    localAddress: o.address,
    family: o.ipFamily,
    connectTimeout: o.contimeout,
    connected: (address, fd) => {
      if (debug >= 2) log.info(connectedTo(via?.host ?? host, address));
      applySocketOptions(fd, settings, (name) => log.error(`failed to set socket option ${name}\n`));
    },
  };
  const connection = await connectTcp(target, role, errnoText);
  try {
    if (via !== null) await openTunnel(connection, via, host, port);
    return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/**
 * What may stand for %H: a shell reads it, perhaps one within another, so that quotes alone do not make it harmless; and
 * the program must not take it for an option.
 */
const HARMLESS_HOST = /^[A-Za-z0-9._:][A-Za-z0-9._:+~%-]*$/;

/** The command with the host, quoted, for each %H, and % for each %%. */
function connectCommand(template: string, host: ByteString): string {
  return template.replace(/%[H%]/g, (found) => {
    if (found === '%%') return '%';
    if (!HARMLESS_HOST.test(host)) {
      throw new RsyncError(Exit.SOCKETIO, 'unsafe host characters for RSYNC_CONNECT_PROG');
    }
    return `'${host}'`;
  });
}

/** Runs a command whose standard input and output are one TCP socket: a daemon that is started so sees an address. */
async function runProgram(command: string, role: string): Promise<Connection> {
  const { connection, socket } = await socketPair();
  connection.role = role;
  const shell = process.env.RSYNC_SHELL || '/bin/sh';
  const child = spawn(shell, ['-c', command], { stdio: [socket, socket, 'inherit'] });
  child.on('error', (error) => {
    connection.fail(new RsyncError(Exit.IPC, `rsync: [${role}] Failed to exec ${shell}: ${errnoText(error)}`));
  });
  // The child has its own descriptors of it; as long as this one is open, its end would not be seen.
  socket.destroy();
  return connection;
}
