import { AuditRecords, POLICY } from '../audit-records.ts';
import { figureOf } from '../chart.ts';
import { count, percent, points } from '../figures.ts';
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
  return section(
    POLICY,
    question,
    await beforeAfter(data),
    await learning(lines),
    unlabelled(data),
    sampler(lines),
    alarms(data),
  );
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

/** Which prompts the verifier's figures are about where the truth of some was hidden. */
function unlabelled({ spec }: ReportData): Html | null {
  const share = spec?.task.unlabelled_fraction ?? 0;
  if (share === 0) return null;
  return html`<p>For ${percent(share, 1)} of the training prompts the ${word('ground truth')} was hidden: there the judge alone gave the ${word('reward')}. The curve of ${word('verifier')} accuracy is about the other prompts; the hidden truths are compared in a curve of their own, which the reward did not know. Held-out prompts keep their truth.</p>`;
}

/** How old the weights were that servers sampled from, and how far their probabilities were from the trainer's. */
function sampler(lines: ReportData['metrics']): Html | null {
  const values = (name: string) => lines.map(({ metrics }) => metrics[name]).filter((value) => value != null);
  const ages = values('staleness');
  if (ages.length === 0) return null;
  const mean = (numbers: number[]) => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  const ratios = values('sampling_ratio_mean');
  const corrected =
    ratios.length === 0
      ? html`No correction for the difference between sampler and trainer was made.`
      : html`The ratio of the trainer’s probability to the sampler’s, as it weighed the completions, was ${mean(ratios).toFixed(3)} on average, with step means from ${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}.`;
  return html`<p>Servers sampled the rollouts. The adapter that sampled a step lacked ${mean(ages).toFixed(2)} updates on average, and ${Math.max(...ages).toFixed(0)} at most. ${corrected}</p>`;
}

function alarms({ alarms: raised }: ReportData): Html | null {
  const mine = raised.filter(({ stage }) => stage === 'grpo');
  if (mine.length === 0) return null;
  return html`<h3>Alarms</h3><ul>${mine.map(({ step, message }) => html`<li>Step ${count(step)}: ${message}.</li>`)}</ul>`;
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
