import type { MetricLine } from '../contracts/stage.ts';
import { type Chart, ink } from './chart.ts';
import { percent } from './figures.ts';
import { type Html, html } from './html.ts';

/** Steps that the bold line averages over, on either side: one step has few completions and jumps about. */
const smoothing = 4;

export interface Curve {
  name: string;
  color: string;
  dash: number[];
  /** Share from 0 to 1; null where a step has none. */
  value: (metrics: MetricLine['metrics']) => number | null;
}

/** The judge's value is drawn as a share of 9, so that all curves have one axis. */
export const curves: Curve[] = [
  { name: 'Verifier accuracy (truth)', color: ink.truth, dash: [1, 0], value: (m) => m.verifier_accuracy ?? null },
  {
    name: 'Judge’s value, as a share of 9',
    color: ink.judge,
    dash: [6, 3],
    value: (m) => (m.judge_value == null ? null : m.judge_value / 9),
  },
  {
    name: 'Pairs in which the judge prefers a position',
    color: ink.judge,
    dash: [2, 2],
    value: (m) => m.order_dependent ?? null,
  },
  { name: 'Reward', color: ink.reward, dash: [2, 3], value: (m) => m.reward ?? null },
  {
    name: 'Verifier accuracy on prompts whose truth the reward does not know',
    color: ink.base,
    dash: [8, 2, 2, 2],
    value: (m) => m.verifier_accuracy_unlabelled ?? null,
  },
];

/** Mean of a curve over the first and the last tenth of the steps, at least one of each. */
export function ends(lines: MetricLine[], curve: Curve): { first: number; last: number } | null {
  const values = lines.map(({ metrics }) => curve.value(metrics)).filter((value) => value !== null);
  if (values.length < 2) return null;
  const tenth = Math.max(1, Math.floor(values.length / 10));
  const mean = (some: number[]) => some.reduce((sum, value) => sum + value, 0) / some.length;
  return { first: mean(values.slice(0, tenth)), last: mean(values.slice(-tenth)) };
}

/** Steps at which a newer epoch took over: the stage resumed from a checkpoint there. */
export function resumedAt(lines: MetricLine[]): number[] {
  return lines
    .filter((line, index) => index > 0 && line.epoch > (lines[index - 1] as MetricLine).epoch)
    .map(({ step }) => step);
}

export function learningChart(lines: MetricLine[]): Chart {
  const shown = shownCurves(lines);
  const values = shown.flatMap((curve) =>
    lines.map(({ step, metrics }) => ({ step, curve: curve.name, color: curve.color, value: curve.value(metrics) })),
  );
  const spec = (width: number, height: number) => ({
    width,
    height,
    layer: [
      {
        data: { values: resumedAt(lines).map((step) => ({ step })) },
        mark: { type: 'rule', color: ink.soft, strokeDash: [2, 2], opacity: 0.7 },
        encoding: { x: { field: 'step', type: 'quantitative' } },
      },
      ...curveLayers(values, shown),
    ],
  });
  const spans = shown.map((curve) => ({ curve, span: ends(lines, curve) }));
  return {
    title: 'Reward, judge’s value and verifier accuracy over training steps',
    description: spans
      .map(
        ({ curve, span }) =>
          `${curve.name}: from ${span ? percent(span.first) : 'unknown'} to ${span ? percent(span.last) : 'unknown'}.`,
      )
      .join(' '),
    spec: spec(640, 300),
    narrow: spec(300, 240),
  };
}

/** The legend as text beside the drawing, so that it wraps on a narrow screen. */
export function legend(lines: MetricLine[]): Html {
  const keys = shownCurves(lines).map(
    ({ name, color, dash }) =>
      html`<li><svg width="34" height="10" aria-hidden="true"><line x1="0" y1="5" x2="34" y2="5" stroke="${color}" stroke-width="3" stroke-dasharray="${dash.join(' ')}"/></svg> ${name}</li>`,
  );
  return html`<ul class="legend">${keys}</ul>`;
}

const shownCurves = (lines: MetricLine[]) =>
  curves.filter((curve) => lines.some(({ metrics }) => curve.value(metrics) !== null));

function curveLayers(values: object[], shown: Curve[]): object[] {
  const domain = shown.map(({ name }) => name);
  const x = { field: 'step', type: 'quantitative', title: 'step', axis: { tickMinStep: 1, grid: false } };
  const y = {
    type: 'quantitative',
    title: null,
    scale: { domain: [0, 1] },
    axis: { format: '.0%', tickCount: 5, domain: false },
  };
  const color = { field: 'color', type: 'nominal', scale: null };
  const strokeDash = {
    field: 'curve',
    type: 'nominal',
    scale: { domain, range: shown.map(({ dash }) => dash) },
    legend: null,
  };
  return [
    {
      data: { values },
      mark: { type: 'point', filled: true, size: 14, opacity: 0.3 },
      encoding: { x, y: { ...y, field: 'value' }, color },
    },
    {
      data: { values },
      transform: [
        { filter: 'datum.value !== null' },
        {
          window: [{ op: 'mean', field: 'value', as: 'smooth' }],
          frame: [-smoothing, smoothing],
          groupby: ['curve', 'color'],
        },
      ],
      mark: { type: 'line', strokeWidth: 2.5 },
      encoding: { x, y: { ...y, field: 'smooth' }, color, strokeDash },
    },
  ];
}
