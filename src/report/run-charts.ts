import type { Audit } from '../contracts/audit.ts';
import type { Interruption } from '../contracts/interruption.ts';
import { type Chart, ink } from './chart.ts';
import { clock, fixed, modeName } from './words.ts';

export type Pass = Audit['passes'][number];

/** Verdicts per second of each pass that asked its model. */
export function speedChart(passes: Pass[]): Chart {
  const values = passes
    .filter((pass) => pass.verdicts_per_s !== null)
    .map((pass) => ({
      label: `${pass.role}, ${modeName(pass.mode)}`,
      color: ink[pass.role],
      speed: pass.verdicts_per_s as number,
      text: fixed(pass.verdicts_per_s as number, 1),
    }));
  const y = {
    field: 'label',
    type: 'nominal',
    sort: null,
    axis: { title: null, domain: false, ticks: false, labelColor: ink.text, labelLimit: 200 },
  };
  const x = {
    field: 'speed',
    type: 'quantitative',
    title: 'verdicts per second',
    axis: { tickCount: 4, domain: false },
  };
  return {
    title: 'Verdicts per second',
    description: `${values.map(({ label, text }) => `${label}: ${text}`).join('; ')}.`,
    spec: {
      ...{ width: 380, height: { step: 30 }, data: { values } },
      layer: [
        {
          mark: { type: 'bar', height: 16 },
          encoding: { x, y, color: { field: 'color', type: 'nominal', scale: null } },
        },
        { mark: { type: 'text', align: 'left', dx: 5 }, encoding: { x, y, text: { field: 'text' } } },
      ],
    },
  };
}

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
