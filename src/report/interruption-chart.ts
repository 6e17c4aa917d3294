import type { Interruption } from '../contracts/interruption.ts';
import { type Chart, ink } from './chart.ts';
import { clock } from './figures.ts';

const hour = 3_600_000;

/** When each interruption came, and how long it took until work was saved again. */
export function interruptionChart(interruptions: Interruption[]): Chart {
  const values = interruptions.map(({ at, what, seconds_to_next_commit: seconds }) => {
    const start = Date.parse(at);
    return { what, start, end: start + (seconds ?? 0) * 1000 };
  });
  const span = Math.max(...values.map(({ end }) => end)) - Math.min(...values.map(({ start }) => start));
  const format = span < hour ? '%H:%M:%S' : '%b %d %H:%M';
  const spec = (width: number) => {
    const x = {
      field: 'start',
      type: 'temporal',
      title: 'time (UTC)',
      scale: { type: 'utc' },
      axis: { tickCount: width / 110, format, grid: true, domain: false },
    };
    const y = {
      field: 'what',
      type: 'nominal',
      title: null,
      axis: { domain: false, ticks: false, labelColor: ink.text },
    };
    return {
      ...{ width, height: { step: 30 }, data: { values } },
      layer: [
        {
          mark: { type: 'rule', strokeWidth: 10, opacity: 0.35, color: ink.bad },
          encoding: { x, x2: { field: 'end' }, y },
        },
        { mark: { type: 'tick', thickness: 3, size: 20, color: ink.bad }, encoding: { x, y } },
      ],
    };
  };
  return {
    title: 'Interruptions in time; the bar lasts until work was committed again',
    description: `${interruptions.map(({ at, what }) => `${what} at ${clock(at)}`).join('; ')}.`,
    spec: spec(600),
    narrow: spec(260),
  };
}
