import type { Measure } from '../contracts/audit.ts';
import { type Chart, ink } from './chart.ts';
import { measured, type Scale } from './words.ts';

export interface IntervalRow {
  label: string;
  measure: Measure;
  color: string;
}

export interface IntervalChart {
  title: string;
  scale: Scale;
  rows: IntervalRow[];
  domain: [number, number];
  /** A dashed line, say what a coin would get. */
  reference?: { value: number; label: string };
}

/** One dot a row with its interval as a bar: figures whose bars overlap cannot be told apart by these rows. */
export function intervalChart({ title, scale, rows, domain, reference }: IntervalChart): Chart {
  const values = rows
    .filter(({ measure }) => measure.point !== null)
    .map(({ label, measure, color }) => ({ label, color, ...measure, text: measured(measure, scale) }));
  const format = scale === 'kappa' ? '.1f' : '.0%';
  const y = { field: 'label', type: 'nominal', sort: null, axis: null };
  const x = (field: string) => ({
    ...{ field, type: 'quantitative', title: null, scale: { domain, nice: false } },
    axis: { format, tickCount: 5, domain: false },
  });
  const color = { field: 'color', type: 'nominal', scale: null };
  const layer: object[] = [
    {
      mark: { type: 'rule', strokeWidth: 4, opacity: 0.45, strokeCap: 'round' },
      encoding: { x: x('low'), x2: { field: 'high' }, y, color },
    },
    { mark: { type: 'point', filled: true, size: 110, opacity: 1 }, encoding: { x: x('point'), y, color } },
    {
      mark: { type: 'text', align: 'left', baseline: 'bottom', dy: -9, x: 0 },
      encoding: { y, text: { field: 'label' } },
    },
    {
      mark: { type: 'text', align: 'right', baseline: 'bottom', dy: -9, x: 'width', color: ink.soft },
      encoding: { y, text: { field: 'text' } },
    },
  ];
  if (reference) {
    layer.unshift({
      data: { values: [{ at: reference.value }] },
      mark: { type: 'rule', strokeDash: [4, 3], color: ink.soft },
      encoding: { x: x('at') },
    });
  }
  return {
    title,
    description: `${values.map((row) => `${row.label}: ${row.text}`).join('; ')}.${reference ? ` Dashed line: ${reference.label}.` : ''}`,
    spec: { width: 330, height: { step: 46 }, data: { values }, layer },
  };
}
