import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Metrics } from './metrics.js';
import { loadPage, type Page } from './page.js';
import type { ControlCommand, Controlled } from './types.js';

const MAX_BODY = 4096;
/** Milliseconds between two events of a stream. */
const TICK_MS = 1000;
/** Milliseconds that a change waits for others. */
const SOON_MS = 100;
/** Viewers at the same time. */
const MAX_STREAMS = 50;

const COMMANDS: ReadonlySet<string> = new Set<ControlCommand>(['pause', 'resume', 'resync']);
const LOCAL_NAME = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

/** A request that is refused, with its status code. */
class Refused extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** Answers the requests of one server. */
export class StatusHandler {
  private readonly streams = new Set<ServerResponse>();
  private metrics: Metrics | null = null;
  private soon: NodeJS.Timeout | null = null;
  private timer: NodeJS.Timeout | null = null;
  private page: Page | null = null;
  private readonly unlisten: () => void;

  /** `guarded`: the server can be reached by browsers, so requests must come from this machine's own pages. */
  constructor(
    private readonly service: Controlled,
    private readonly guarded: boolean,
  ) {
    this.unlisten = service.onChange(() => this.tickSoon());
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('cache-control', 'no-store');
    this.answer(request, response).catch((error) => {
      if (response.headersSent) return response.destroy();
      const code = error instanceof Refused ? error.code : 500;
      response.writeHead(code, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify({ error: (error as Error).message })}\n`);
    });
  }

  close(): void {
    this.unlisten();
    if (this.timer !== null) clearInterval(this.timer);
    if (this.soon !== null) clearTimeout(this.soon);
    for (const stream of this.streams) stream.end();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.guarded) checkSource(request);
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (request.method === 'POST') return this.post(path.slice(1), request, response);
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refused(405, 'GET or POST');
    switch (path) {
      case '/':
        return this.sendPage(response);
      case '/status.json':
        return send(response, 'application/json', `${JSON.stringify(this.service.status())}\n`);
      case '/history.json':
        return send(response, 'application/json', JSON.stringify(this.service.history.all()));
      case '/metrics':
        return this.sendMetrics(response);
      case '/events':
        return this.openStream(response);
      default:
        throw new Refused(404, 'no such page');
    }
  }

  private async sendMetrics(response: ServerResponse): Promise<void> {
    if (this.metrics === null) {
      // Loaded by those who scrape only.
      const { Metrics } = await import('./metrics.js');
      this.metrics = new Metrics();
    }
    send(response, this.metrics.contentType, await this.metrics.text(this.service.status()));
  }

  private sendPage(response: ServerResponse): void {
    this.page ??= loadPage();
    if (this.page === null) throw new Refused(404, 'this build has no page');
    response.setHeader('content-security-policy', this.page.policy);
    send(response, 'text/html; charset=utf-8', this.page.html);
  }

  private async post(command: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!COMMANDS.has(command)) throw new Refused(404, 'no such command');
    const { sync, target } = await readNames(request);
    try {
      this.service.control(command as ControlCommand, sync, target);
    } catch (error) {
      throw new Refused(404, (error as Error).message);
    }
    send(response, 'application/json', '{"ok":true}\n');
    this.tickSoon();
  }

  private openStream(response: ServerResponse): void {
    if (this.streams.size >= MAX_STREAMS) throw new Refused(503, 'too many viewers');
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    this.streams.add(response);
    response.on('close', () => {
      this.streams.delete(response);
      if (this.streams.size > 0 || this.timer === null) return;
      clearInterval(this.timer);
      this.timer = null;
    });
    this.timer ??= setInterval(() => this.tick(), TICK_MS).unref();
    this.tick();
  }

  /** A storm of changes becomes a few events a second. */
  private tickSoon(): void {
    if (this.streams.size === 0) return;
    this.soon ??= setTimeout(() => {
      this.soon = null;
      this.tick();
    }, SOON_MS);
  }

  /** Sends the state to every viewer. One that does not read any more is dropped. */
  private tick(): void {
    if (this.streams.size === 0) return;
    const event = `data: ${JSON.stringify(this.service.status())}\n\n`;
    for (const stream of this.streams) {
      if (stream.writableLength > 4 * event.length) stream.destroy();
      else stream.write(event);
    }
  }
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { 'content-type': type });
  response.end(body);
}

/**
 * A page of another site must not read or change anything. Its name may have been made to point here (DNS rebinding):
 * then the Host is foreign. A form of it may be posted here: then the Origin is.
 */
function checkSource(request: IncomingMessage): void {
  const { host, origin } = request.headers;
  if (host === undefined || !LOCAL_NAME.test(host)) throw new Refused(403, 'not addressed as this machine');
  if (origin !== undefined && origin !== `http://${host}`) throw new Refused(403, 'a page of another site');
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && (site !== 'none' || request.method === 'POST')) {
    throw new Refused(403, 'a page of another site');
  }
  if (request.method === 'POST' && !/^application\/json\b/.test(request.headers['content-type'] ?? '')) {
    throw new Refused(415, 'the body must be application/json');
  }
}

/** The JSON body of a command: `{ "sync": NAME, "target": NAME }`, both optional. */
async function readNames(request: IncomingMessage): Promise<{ sync?: string; target?: string }> {
  let text = '';
  for await (const chunk of request) {
    text += (chunk as Buffer).toString('latin1');
    if (text.length > MAX_BODY) throw new Refused(413, 'the body is too long');
  }
  let body: unknown;
  try {
    body = text.trim() === '' ? {} : JSON.parse(text);
  } catch {
    throw new Refused(400, 'the body is no JSON');
  }
  const { sync, target } = (body ?? {}) as Record<string, unknown>;
  for (const name of [sync, target]) {
    if (name !== undefined && typeof name !== 'string') throw new Refused(400, 'sync and target are names');
  }
  if (target !== undefined && sync === undefined) throw new Refused(400, 'a target needs its sync');
  return { sync, target } as { sync?: string; target?: string };
}
