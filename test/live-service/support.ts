import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { askStatus } from '../../src/live-service/remote.js';
import type { ServiceStatus } from '../../src/live-service/status/types.js';
import { type Params, type RunningDaemon, startDaemon } from '../lib/daemon.js';
import { PROJECT, RSYNC } from '../lib/project.js';
import { cleanEnv, type RunOptions, type RunResult, run } from '../lib/run.js';
import { type Teardown, tempDir } from '../lib/temp.js';
import { waitFor, within } from '../lib/wait.js';

/** The built command. */
export const LIVE = join(PROJECT, 'dist', 'tsrsync-live.js');

export function live(args: string[], options: RunOptions = {}): Promise<RunResult> {
  return run(process.execPath, [LIVE, ...args], { timeout: 60_000, ...options });
}

/** A folder with a source tree and a real rsyncd with a module for each of `modules`. */
export interface Scene {
  dir: string;
  source: string;
  daemon: RunningDaemon;
  conf: string;
  /** Writes the configuration: these lines below a head with socket, log and pid file. */
  configure(text: string): void;
  /** Path in a module. */
  at(module: string, path: string): string;
  log(): string;
}

export async function scene(t: Teardown, modules: string[], secrets?: string[]): Promise<Scene> {
  const dir = tempDir(t);
  const source = join(dir, 'src');
  mkdirSync(source);
  writeFileSync(join(source, 'first'), 'first\n');
  const auth: Params =
    secrets === undefined ? {} : { 'auth users': 'joe', 'secrets file': join(dir, 'daemon/secrets') };
  const params = Object.fromEntries(
    modules.map((name) => {
      mkdirSync(join(dir, name));
      return [name, { path: join(dir, name), 'read only': 'no', ...auth }];
    }),
  );
  const daemon = await startDaemon(t, RSYNC, { dir: join(dir, 'daemon'), modules: params, secrets });
  const conf = join(dir, 'live.ini');
  return {
    dir,
    source,
    daemon,
    conf,
    configure(text) {
      const head = ['log file', 'pid file', 'status socket', 'status file'].map(
        (key) => `${key} = ${join(dir, key.replace(' ', '.'))}\n`,
      );
      writeFileSync(
        conf,
        `${head.join('')}status interval = 200 ms\nretry first = 100 ms\nretry most = 200 ms\n${text}`,
      );
    },
    at: (module, path) => join(dir, module, path),
    log: () => (existsSync(join(dir, 'log.file')) ? readFileSync(join(dir, 'log.file'), 'latin1') : ''),
  };
}

export interface RunningService {
  child: ChildProcess;
  status(): Promise<ServiceStatus>;
  /** Sends a signal and waits for the end; returns the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts the service in the foreground and waits until it answers. `within`: a command line that the service's is added to. */
export async function startService(
  t: Teardown,
  { conf, dir }: Pick<Scene, 'conf' | 'dir'>,
  { env = {}, within: before = [] }: { env?: Record<string, string>; within?: readonly string[] } = {},
): Promise<RunningService> {
  const [program, ...args] = [...before, process.execPath, LIVE, '-c', conf];
  const child = spawn(program, args, {
    env: cleanEnv(env),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const socket = join(dir, 'status.socket');
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const service: RunningService = {
    child,
    status: () => askStatus(socket),
    end(signal = 'SIGTERM') {
      child.kill(signal);
      return within(ended, 40_000, 'the service to end');
    },
  };
  await waitFor(
    async () => {
      if (child.exitCode !== null) throw new Error(`the service ended: ${errors}`);
      return askStatus(socket).then(
        () => true,
        () => false,
      );
    },
    30_000,
    'the service to answer',
  );
  return service;
}

/** Waits until a file holds `text`, or, for null, is gone. */
export function holds(path: string, text: string | null): Promise<void> {
  const now = () => (existsSync(path) ? readFileSync(path, 'latin1') : null);
  return waitFor(() => now() === text, 30_000, `${path} to hold ${text}`);
}
