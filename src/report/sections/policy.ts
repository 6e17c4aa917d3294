import { figureOf, ink } from '../chart.ts';
import { type Html, html, table } from '../html.ts';
import { intervalChart } from '../interval-chart.ts';
import { curves, ends, learningChart, legend, resumedAt } from '../learning-chart.ts';
import type { ReportData } from '../read-run.ts';
import { figure, interval, percent, points, word } from '../words.ts';
import { noAudit, notMeasured, section } from './section.ts';

/** Rows of the table of steps at most; a longer training shows every so many steps. */
const tableRows = 100;

export async function policy(data: ReportData): Promise<Html> {
  const lines = data.metrics.filter(({ stage }) => stage === 'grpo');
  return section('policy', 'Did the policy learn?', await beforeAfter(data), await learning(lines));
}

async function beforeAfter({ audit }: ReportData): Promise<Html> {
  if (audit === null) return notMeasured(noAudit);
  const { first, last, gain } = audit.policy;
  if (first?.point == null || last?.point == null)
    return notMeasured(
      'right answers before and after training need held-out problems with a known answer, and this task has none.',
    );
  const sure = gain?.low != null && gain.high != null && (gain.low > 0 || gain.high < 0);
  const change =
    gain?.point == null
      ? null
      : html`<p>On held-out problems the ${word('policy')} answered <strong>${figure(first.point, 'share')}</strong> right
before training and <strong>${figure(last.point, 'share')}</strong> after: <strong>${points(gain.point)}</strong> (${audit.confidence * 100}% ${word('interval')} ${interval(gain, 'points')}).
${sure ? (gain.point > 0 ? 'That is more than chance explains.' : 'It got worse, by more than chance explains.') : 'The interval includes 0, so chance may explain it.'}</p>`;
  const chart = intervalChart({
    ...{ title: 'Right answers on held-out problems', scale: 'share', domain: [0, 1] },
    rows: [
      { label: 'first checkpoint', measure: first, color: ink.base },
      { label: 'last checkpoint', measure: last, color: ink.truth },
    ],
  });
  return html`${change}${await figureOf(chart, html`n = ${first.n} and ${last.n} answers. The exact ${word('verifier')} says what is right, not the judge.`)}`;
}

async function learning(lines: ReportData['metrics']): Promise<Html> {
  if (lines.length === 0) return notMeasured('no training steps are recorded in report/metrics.jsonl.');
  const resumed = resumedAt(lines);
  const every = Math.ceil(lines.length / tableRows);
  const figures = table(
    every === 1 ? 'Each step' : `Every ${every} steps`,
    [
      { head: 'step', cell: ({ step }) => step, numeric: true },
      ...curves.map((curve) => ({
        head: curve.name,
        cell: ({ metrics }: (typeof lines)[number]) => {
          const value = curve.value(metrics);
          return value === null ? '–' : percent(value, 1);
        },
        numeric: true,
      })),
    ],
    lines.filter((_, index) => index % every === 0),
  );
  return html`<p>${hacking(lines)}</p>
${await figureOf(learningChart(lines), html`Dots: one step. Lines: mean of nine steps. ${resumed.length > 0 && html`Dotted vertical lines: steps at which work went on from a ${word('checkpoint')} after an interruption (${resumed.join(', ')}).`}`, legend(lines))}
<details><summary>The figures of this chart</summary>${figures}</details>`;
}

/** A judge's score that rises while truth falls is reward hacking: the policy learns to please, not to be right. */
function hacking(lines: ReportData['metrics']): Html {
  const [truth, judge] = curves.map((curve) => ends(lines, curve));
  if (!judge) return html`The judge’s score was not recorded step by step.`;
  const score = points(judge.last - judge.first);
  if (!truth)
    return html`From the first to the last tenth of the steps the judge’s score moved by ${score}. Whether the truth moved with it is not measured: the task has no ${word('ground truth')}.`;
  const moved = html`From the first to the last tenth of the steps the judge’s score moved by ${score} (of full marks) and ${word('verifier')} accuracy by ${points(truth.last - truth.first)}.`;
  const apart = judge.last > judge.first && truth.last < truth.first;
  return apart
    ? html`${moved} <strong>The judge was pleased more while the answers became less right: a sign of reward hacking.</strong>`
    : html`${moved} Were the policy learning to please the judge instead of being right (reward hacking), the judge’s curve would climb while the verifier’s falls.`;
}
