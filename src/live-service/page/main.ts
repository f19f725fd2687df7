import { historyKey } from '../status/history.js';
import type { ControlCommand, HistoryData, ServiceStatus, SyncStatus } from '../status/types.js';
import { Card, element, type Mood, moodOf } from './card.js';
import { duration } from './format.js';

const byId = (id: string) => document.getElementById(id)!;

/** Milliseconds between two looks at the history. */
const HISTORY_MS = 5000;

class SyncView {
  readonly root = element('section');
  private readonly about = element('span', 'quiet');
  private readonly problem = element('p', 'trouble');
  private readonly cards = element('div', 'cards');
  readonly targets = new Map<string, Card>();

  constructor(private readonly name: string) {
    const head = element('div', 'sync-head');
    head.append(element('h2', '', name), this.about);
    this.root.append(head, this.problem, this.cards);
  }

  update(sync: SyncStatus, now: number): void {
    const watched =
      sync.via === ''
        ? 'not watched yet'
        : `${sync.via}, ${sync.watches} ${sync.watches === 1 ? 'watch' : 'watches'}, ${sync.events} events`;
    const next = sync.nextResync === null ? '' : ` · compared again in ${duration(sync.nextResync - now)}`;
    this.about.textContent = `${sync.sources.join(' ')} · ${watched}${next}`;
    const hooks = sync.hooks.filter((hook) => hook.lastError !== null);
    this.problem.textContent = [
      ...(sync.problem === null ? [] : [sync.problem]),
      ...hooks.map((hook) => `hook ${hook.name}: ${hook.lastError} (${hook.queued} waiting)`),
    ].join('\n');
    for (const target of sync.targets) this.card(target.name).update(target, now);
    for (const [name, card] of this.targets) {
      if (sync.targets.some((target) => target.name === name)) continue;
      card.root.remove();
      this.targets.delete(name);
    }
  }

  drawHistory(history: HistoryData, step: number): void {
    for (const [name, card] of this.targets) {
      card.drawHistory(history.times, step, history.targets[historyKey(this.name, name)]);
    }
  }

  private card(name: string): Card {
    let card = this.targets.get(name);
    if (card === undefined) {
      card = new Card(name, (command) => void send(command, this.name, name));
      this.targets.set(name, card);
      this.cards.append(card.root);
    }
    return card;
  }
}

const views = new Map<string, SyncView>();

async function send(command: ControlCommand, sync: string, target: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ sync, target });
  const response = await fetch(`/${command}`, { method: 'POST', headers, body }).catch(() => null);
  if (response?.ok !== true) summary('bad', `${command} of ${target} was not possible`);
}

function summary(mood: Mood, text: string): void {
  const place = byId('summary');
  place.dataset.mood = mood;
  place.textContent = text;
  document.title = `${mood === 'good' ? '✓' : mood === 'bad' ? '✗' : '…'} tsrsync-live`;
}

function update(status: ServiceStatus): void {
  for (const sync of status.syncs) {
    let view = views.get(sync.name);
    if (view === undefined) {
      view = new SyncView(sync.name);
      views.set(sync.name, view);
      byId('syncs').append(view.root);
    }
    view.update(sync, status.now);
  }
  for (const [name, view] of views) {
    if (status.syncs.some((sync) => sync.name === name)) continue;
    view.root.remove();
    views.delete(name);
  }
  byId('about').textContent =
    `${status.config} · running for ${duration(status.now - status.started)} · ${status.version}`;
  summarize(status);
}

function summarize(status: ServiceStatus): void {
  const moods = status.syncs.flatMap((sync) => sync.targets.map(moodOf));
  const inStep = moods.filter((mood) => mood === 'good').length;
  const worst = (['bad', 'wait', 'busy', 'good'] as const).find((mood) => moods.includes(mood)) ?? 'wait';
  const problem = status.syncs.some((sync) => sync.problem !== null);
  const all = moods.length === 1 ? 'the target is' : `all ${moods.length} targets are`;
  summary(
    problem ? 'bad' : worst,
    inStep === moods.length ? `${all} in step` : `${inStep} of ${moods.length} targets in step`,
  );
}

async function loadHistory(): Promise<void> {
  const response = await fetch('/history.json').catch(() => null);
  if (response?.ok !== true) return;
  const history = (await response.json()) as HistoryData;
  for (const view of views.values()) view.drawHistory(history, history.step);
}

const stream = new EventSource('/events');
stream.addEventListener('message', (event) => {
  const isFirst = views.size === 0;
  update(JSON.parse(event.data) as ServiceStatus);
  if (isFirst) void loadHistory();
});
stream.addEventListener('error', () => summary('bad', 'the service does not answer'));
setInterval(() => void loadHistory(), HISTORY_MS);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const view of views.values()) for (const card of view.targets.values()) card.redraw();
  void loadHistory();
});
