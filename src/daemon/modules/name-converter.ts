import type { ChildProcess } from 'node:child_process';
import type { ByteString } from '../../../protocol/options.js';
import { type HookEnv, startCoprocess } from '../hooks/process.js';

/** Bytes of an answer. */
const MAX_ANSWER = 1023;

/** A running "name converter": a line to it, a line back. */
export class NameConverter {
  private readonly waiting: ((answer: ByteString) => void)[] = [];
  private held = '';
  private isOver = false;

  private constructor(private readonly child: ChildProcess) {
    child.on('error', () => this.over());
    child.on('exit', () => this.over());
    child.stdin?.on('error', () => this.over());
    child.stdout?.on('error', () => this.over());
    child.stdout?.on('data', (chunk: Buffer) => this.heard(chunk.toString('latin1')));
    child.stdout?.on('end', () => this.over());
  }

  /** Starts a command. What cannot be started knows no names. */
  static start(command: ByteString, env: HookEnv, output: 'inherit' | 'ignore'): NameConverter | null {
    try {
      return new NameConverter(startCoprocess(command, env, output));
    } catch {
      return null;
    }
  }

  /** The answer without its line end, '' when there is none or the command has ended. */
  ask(request: ByteString): Promise<ByteString> {
    if (this.isOver) return Promise.resolve('');
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.child.stdin?.write(Buffer.from(`${request}\n`, 'latin1'));
    });
  }

  /** Its input ends, which tells it to end. */
  end(): void {
    this.over();
  }

  private heard(text: ByteString): void {
    this.held += text;
    for (let end = this.held.indexOf('\n'); end >= 0; end = this.held.indexOf('\n')) {
      this.waiting.shift()?.(this.held.slice(0, Math.min(end, MAX_ANSWER)));
      this.held = this.held.slice(end + 1);
    }
    if (this.held.length > MAX_ANSWER) this.end();
  }

  private over(): void {
    this.isOver = true;
    this.child.stdin?.end();
    for (const resolve of this.waiting.splice(0)) resolve('');
  }
}
