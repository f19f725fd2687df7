import uPlot from 'uplot';
import type { TargetHistory } from '../status/types.js';
import { duration, size } from './format.js';

const HEIGHT = 130;
/** Width of the axes in pixels. */
const AXIS = 52;

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
}

/** The last hour, or what there is of it: from five minutes on. */
function timeRange(first: number | undefined): [number, number] {
  const now = Date.now() / 1000;
  return [Math.min(now - 300, Math.max(now - 3600, first ?? now)), now];
}

/** Lag and throughput of one target over the last hour. */
export class Chart {
  private readonly plot: uPlot;

  constructor(
    place: HTMLElement,
    private readonly step: number,
  ) {
    const axis = { stroke: color('quiet'), font: '11px system-ui', ticks: { show: false }, size: AXIS };
    const grid = { stroke: color('grid'), width: 1 };
    this.plot = new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { range: (plot) => timeRange(plot.data[0][0]) },
          lag: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.15)] },
          rate: { range: (_plot, _min, max) => [0, Math.max(1000, max * 1.15)] },
        },
        axes: [
          { ...axis, size: 24, grid, values: (_plot, ticks) => ticks.map(clock) },
          { ...axis, scale: 'lag', grid, values: (_plot, ticks) => ticks.map((s) => duration(s * 1000)) },
          {
            ...axis,
            scale: 'rate',
            side: 1,
            grid: { show: false },
            values: (_plot, ticks) => ticks.map((n) => `${size(n)}/s`),
          },
        ],
        series: [
          {},
          { scale: 'lag', stroke: color('lag'), width: 1.5, points: { show: false } },
          { scale: 'rate', stroke: color('rate'), fill: `${color('rate')}22`, width: 1.5, points: { show: false } },
        ],
      },
      [[], [], []],
      place,
    );
    new ResizeObserver(() => this.plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  }

  show(times: number[], history: TargetHistory | undefined): void {
    if (history === undefined) return;
    const lag = history.lagMs.map((ms) => (ms === null ? null : ms / 1000));
    const rate = history.sentBytes.map((bytes) => (bytes === null ? null : bytes / this.step));
    this.plot.setData([times, lag, rate]);
  }

  destroy(): void {
    this.plot.destroy();
  }
}
