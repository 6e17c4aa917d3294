import { AuditRecords, POLICY } from '../audit-records.ts';
import { figureOf } from '../chart.ts';
import { percent, points } from '../figures.ts';
import { type Html, html, table } from '../html.ts';
import { curves, ends, learningChart, legend, resumedAt } from '../learning-chart.ts';
import type { ReportData } from '../report-data.ts';
import { word } from '../words.ts';
import { partBody } from './part.ts';
import { noAudit, notMeasured, section } from './section.ts';

/** Rows of the table of steps at most; a longer training shows every so many steps. */
const tableRows = 100;

const question = 'Did the policy learn?';

export async function policy(data: ReportData): Promise<Html> {
  const lines = data.metrics.filter(({ stage }) => stage === 'grpo');
  return section(POLICY, question, await beforeAfter(data), await learning(lines));
}

async function beforeAfter({ audit }: ReportData): Promise<Html> {
  if (audit === null) return notMeasured(noAudit);
  const records = new AuditRecords(audit);
  const info = records.parts().find(({ part }) => part === POLICY);
  if (info === undefined) return notMeasured('the audit has no part about the policy.');
  return partBody(records, info);
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
