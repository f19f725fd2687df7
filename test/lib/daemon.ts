import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { withoutConnections } from './processes.js';
import type { Program } from './project.js';
import { cleanEnv, killGroup } from './run.js';
import type { Teardown } from './temp.js';
import { waitFor } from './wait.js';

/** Parameters of an rsyncd.conf section. */
export type Params = Record<string, string | number>;

export interface DaemonSetup {
  /** Folder for the configuration, the log and the secrets; made when missing. */
  dir: string;
  modules: Record<string, Params>;
  globals?: Params;
  /** Lines `user:password`; written with mode 600 (or `secretsMode`) to `<dir>/secrets`. */
  secrets?: string[];
  secretsMode?: number;
  args?: string[];
  env?: Record<string, string>;
  /** Where to listen; without it a port that is free. */
  port?: number;
}

export interface RunningDaemon {
  port: number;
  child: ChildProcess;
  secretsFile: string;
  /** `rsync://127.0.0.1:PORT/` followed by `path`. */
  url(path: string, user?: string): string;
  /** What its log file says so far. */
  log(): string;
  /** What it wrote to standard error. */
  errors(): string;
  /** Waits until it has done with every client that it has, also with those that are gone. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

const START_TIMEOUT = 60_000;
const IDLE_TIMEOUT = 60_000;

/** A port of the loopback address that nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function section(params: Params): string {
  return Object.entries(params)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('');
}

/** Writes an rsyncd.conf whose modules work for root and for others alike; returns its path. */
export function writeConfig(setup: DaemonSetup): string {
  mkdirSync(setup.dir, { recursive: true });
  const secrets = join(setup.dir, 'secrets');
  if (setup.secrets) writeFileSync(secrets, `${setup.secrets.join('\n')}\n`, { mode: setup.secretsMode ?? 0o600 });
  const root = process.getuid?.() === 0;
  const identity: Params = root ? { uid: 0, gid: 0 } : {};
  // Without a chroot a daemon rewrites link targets that lead out of the module, and a copy is not equal any more.
  const globals: Params = {
    'use chroot': root ? 'yes' : 'no',
    'reverse lookup': 'no',
    'log file': join(setup.dir, 'log'),
  };
  let text = section({ ...globals, ...identity, ...setup.globals });
  for (const [name, params] of Object.entries(setup.modules)) text += `\n[${name}]\n${section(params)}`;
  const path = join(setup.dir, 'rsyncd.conf');
  writeFileSync(path, Buffer.from(text, 'latin1'));
  return path;
}

/** Starts `program --daemon` on a free loopback port and waits until it listens; the test's end stops it. */
export async function startDaemon(t: Teardown, program: Program, setup: DaemonSetup): Promise<RunningDaemon> {
  const config = writeConfig(setup);
  for (let attempt = 0; ; attempt++) {
    const port = setup.port ?? (await freePort());
    const args = ['--daemon', '--no-detach', `--config=${config}`, '--address=127.0.0.1', `--port=${port}`];
    const child = spawn(program.command, [...program.prefix, ...args, ...(setup.args ?? [])], {
      env: cleanEnv(setup.env),
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const errors: Buffer[] = [];
    child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk));
    const daemon = describeDaemon(child, port, setup.dir, errors);
    t.teardown(() => daemon.stop());
    const up = await waitUntilListening(child, port);
    if (up) return daemon;
    if (attempt === 2) throw new Error(`${program.name} --daemon did not start: ${daemon.errors()}${daemon.log()}`);
  }
}

function describeDaemon(child: ChildProcess, port: number, dir: string, errors: Buffer[]): RunningDaemon {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    port,
    child,
    secretsFile: join(dir, 'secrets'),
    url: (path, user) => `rsync://${user ? `${user}@` : ''}127.0.0.1:${port}/${path}`,
    log: () => readIfThere(join(dir, 'log')),
    errors: () => Buffer.concat(errors).toString('latin1'),
    idle: () => waitFor(() => withoutConnections(child.pid as number), IDLE_TIMEOUT, 'the daemon to have no client'),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      const timer = setTimeout(() => killGroup(child, 'SIGKILL'), 3000);
      await exited;
      clearTimeout(timer);
      try {
        process.kill(-(child.pid as number), 'SIGKILL');
      } catch {
        // Nobody of its group is left, as it should be.
      }
    },
  };
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

async function waitUntilListening(child: ChildProcess, port: number): Promise<boolean> {
  let up = false;
  await waitFor(
    async () => {
      if (child.exitCode !== null || child.signalCode !== null) return true;
      up = await canConnect(port);
      return up;
    },
    START_TIMEOUT,
    'the daemon to listen',
  );
  return up;
}

/** True when somebody listens on the port of the loopback address. */
export function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
