import type { MeasureRecord } from '../contracts/audit.ts';
import { type Chart, ink } from './chart.ts';
import { pointText, type Unit } from './figures.ts';

export interface IntervalRow {
  label: string;
  record: MeasureRecord;
  color: string;
  /** Written in bold: the row that the reader looks for first. */
  first?: boolean;
}

export interface IntervalChart {
  title: string;
  unit: Unit;
  rows: IntervalRow[];
  /** What guessing gets, or no difference: a dashed line; null where there is no such thing. */
  chance: number | null;
  /** Bounds of gates: solid lines. */
  bounds: number[];
}

const axisLabels: Record<Unit, object> = {
  ...{ share: { format: '.0%' }, kappa: { format: '.1f' }, correlation: { format: '.1f' } },
  ...{ score: { format: '~g' }, rate: { format: '~s' }, ratio: { format: '~g' } },
  difference: { labelExpr: "datum.value === 0 ? '0' : format(100 * datum.value, '+~g')", title: 'points' },
};

/** One dot a row with its interval as a bar. A row that could not be computed says so and has no dot. */
export function intervalChart({ title, unit, rows, chance, bounds }: IntervalChart): Chart {
  const values = rows.map(({ label, record, color, first }) => {
    const { point, low, high } = record;
    return { label, color, weight: first ? 'bold' : 'normal', point, low, high, text: pointText(record, unit) };
  });
  const y = { field: 'label', type: 'nominal', sort: null, axis: null };
  const domain = domainOf(
    unit,
    rows.flatMap(({ record }) => [record.low, record.point, record.high]).concat(bounds, chance),
  );
  const x = (field: string) => ({
    ...{ field, type: 'quantitative', title: null, scale: { domain, nice: false } },
    axis: { tickCount: 5, domain: false, ...axisLabels[unit] },
  });
  const color = { field: 'color', type: 'nominal', scale: null };
  const layer: object[] = [
    {
      transform: [{ filter: 'datum.low !== null && datum.high !== null' }],
      mark: { type: 'rule', strokeWidth: 4, opacity: 0.45, strokeCap: 'round' },
      encoding: { x: x('low'), x2: { field: 'high' }, y, color },
    },
    {
      transform: [{ filter: 'datum.point !== null' }],
      mark: { type: 'point', filled: true, size: 110, opacity: 1 },
      encoding: { x: x('point'), y, color },
    },
    ...(['bold', 'normal'] as const).map((weight) => ({
      transform: [{ filter: `datum.weight === '${weight}'` }],
      mark: { type: 'text', align: 'left', baseline: 'bottom', dy: -9, x: 0, fontWeight: weight },
      encoding: { y, text: { field: 'label' } },
    })),
    {
      mark: { type: 'text', align: 'right', baseline: 'bottom', dy: -9, x: 'width', color: ink.soft },
      encoding: { y, text: { field: 'text' } },
    },
  ];
  const line = (at: number, mark: object) => ({
    data: { values: [{ at }] },
    mark: { type: 'rule', ...mark },
    encoding: { x: x('at') },
  });
  layer.unshift(
    ...(chance === null ? [] : [line(chance, { strokeDash: [4, 3], color: ink.soft })]),
    ...bounds.map((bound) => line(bound, { color: ink.bad, strokeWidth: 1.5 })),
  );
  return {
    title,
    description: `${values.map((row) => `${row.label}: ${row.text}`).join('; ')}.`,
    spec: { width: 350, height: { step: 46 }, data: { values }, layer },
  };
}

/** A share fills 0 to 1 and an agreement ends at 1; the rest spans what is drawn, and 0. */
function domainOf(unit: Unit, drawn: (number | null)[]): [number, number] {
  if (unit === 'share') return [0, 1];
  const known = drawn.filter((end) => end !== null);
  const endsAtOne = unit === 'kappa' || unit === 'correlation';
  const low = Math.min(0, ...known);
  const high = Math.max(endsAtOne ? 1 : 0, ...known);
  const pad = 0.06 * (high - low || 1);
  return [low < 0 ? low - pad : low, endsAtOne ? high : high + pad];
}
