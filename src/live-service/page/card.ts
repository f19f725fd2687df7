import type { TargetStatus } from '../../live/types.js';
import type { ControlCommand, TargetHistory } from '../status/types.js';
import { Chart } from './chart.js';
import { duration, size } from './format.js';

export type Mood = 'good' | 'busy' | 'wait' | 'bad';

/** How worried one should be. */
export function moodOf(target: TargetStatus): Mood {
  if (target.guard !== null || target.phase === 'waiting to retry') return 'bad';
  if (target.phase === 'paused' || target.phase === 'stopped' || target.failing.length > 0) return 'wait';
  return target.phase === 'in step' ? 'good' : 'busy';
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = '',
  text = '',
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.textContent = text;
  return made;
}

const FIGURES = ['lag', 'pending', 'throughput', 'files sent', 'last success'] as const;

/** One target on the page. */
export class Card {
  readonly root = element('article');
  private readonly state = element('span', 'state');
  private readonly pause = element('button');
  private readonly figures = new Map<string, HTMLElement>();
  private readonly trouble = element('p', 'trouble');
  private readonly plot = element('div', 'plot');
  private chart: Chart | null = null;
  private paused = false;
  private last: { bytes: number; time: number; rate: number } | null = null;

  constructor(name: string, control: (command: ControlCommand) => void) {
    const head = element('div', 'target-head');
    const resync = element('button', '', 'Resync now');
    resync.addEventListener('click', () => control('resync'));
    this.pause.addEventListener('click', () => control(this.paused ? 'resume' : 'pause'));
    head.append(element('h3', '', name), this.state, resync, this.pause);
    const list = element('dl');
    for (const title of FIGURES) {
      const pair = element('div');
      const value = element('dd');
      this.figures.set(title, value);
      pair.append(element('dt', '', title), value);
      list.append(pair);
    }
    const legend = element('div', 'legend');
    for (const [label, variable] of [['lag', '--lag'] as const, ['throughput', '--rate'] as const]) {
      const entry = element('span', '', label);
      const sample = element('i');
      sample.style.background = `var(${variable})`;
      entry.prepend(sample);
      legend.append(entry);
    }
    this.root.append(head, list, this.trouble, this.plot, legend);
  }

  update(target: TargetStatus, now: number): void {
    this.paused = target.phase === 'paused';
    this.root.dataset.mood = moodOf(target);
    this.state.textContent = stateText(target, now);
    this.pause.textContent = this.paused ? 'Resume' : 'Pause';
    this.trouble.textContent = troubles(target).join('\n');
    this.figure('lag', target.lagMs === 0 ? 'none' : duration(target.lagMs));
    this.figure('pending', target.fullOwed ? 'everything' : String(target.pending));
    this.figure('throughput', `${size(this.rate(target.sentBytes, now))}/s`);
    this.figure('files sent', target.files.toLocaleString('en'));
    this.figure('last success', target.lastSuccess === null ? 'never' : `${duration(now - target.lastSuccess)} ago`);
  }

  drawHistory(times: number[], step: number, history: TargetHistory | undefined): void {
    this.chart ??= new Chart(this.plot, step);
    this.chart.show(times, history);
  }

  /** The plot takes its colors when it is made. */
  redraw(): void {
    this.chart?.destroy();
    this.chart = null;
  }

  private figure(title: (typeof FIGURES)[number], text: string): void {
    this.figures.get(title)!.textContent = text;
  }

  /** Bytes a second since an update at least a second ago. */
  private rate(bytes: number, now: number): number {
    const { last } = this;
    if (last !== null && now - last.time < 900) return last.rate;
    const rate = last === null ? 0 : Math.max(0, ((bytes - last.bytes) * 1000) / (now - last.time));
    this.last = { bytes, time: now, rate };
    return rate;
  }
}

function stateText(target: TargetStatus, now: number): string {
  if (target.phase !== 'waiting to retry' || target.nextAttempt === null) return target.phase;
  return `${target.phase}, in ${duration(Math.max(0, target.nextAttempt - now))}`;
}

function troubles(target: TargetStatus): string[] {
  const lines = target.guard === null ? [] : [target.guard];
  if (target.lastError !== null && target.attempts > 0) lines.push(target.lastError.text.trim());
  const shown = target.failing.slice(0, 3).map((file) => `${file.path}: ${file.error}`);
  if (target.failing.length > shown.length) shown.push(`and ${target.failing.length - shown.length} more files`);
  return [...lines, ...shown];
}
