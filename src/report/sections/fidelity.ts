import type { Audit } from '../../contracts/audit.ts';
import { figureOf, ink } from '../chart.ts';
import { type Html, html, table } from '../html.ts';
import { type IntervalRow, intervalChart } from '../interval-chart.ts';
import { confusionChart, judgeScoresChart } from '../score-charts.ts';
import { count, measured, modeName, percent, word } from '../words.ts';
import { notMeasured, section } from './section.ts';

const question = 'Does the grader reproduce the judge?';

export async function fidelity(audit: Audit): Promise<Html> {
  const main = audit.fidelity;
  if (main === null)
    return section('fidelity', question, notMeasured('there are no verdicts of a judge to compare with.'));
  const graders = [
    { label: `grader, ${modeName(audit.headline_mode)}`, color: ink.grader, of: main },
    ...Object.entries(audit.fidelity_by_mode)
      .filter(([mode]) => mode !== audit.headline_mode)
      .map(([mode, of]) => ({ label: `grader, ${modeName(mode)}`, color: ink.grader, of })),
    ...(audit.base_fidelity ? [{ label: 'base (untrained)', color: ink.base, of: audit.base_fidelity }] : []),
  ];
  const rows: IntervalRow[] = graders.map(({ label, color, of }) => ({
    label,
    color,
    measure: of.quadratic_weighted_kappa,
  }));
  const lowest = Math.min(0, ...rows.map(({ measure }) => Math.floor((measure.low ?? 0) * 10) / 10));
  const kappas = intervalChart({
    ...{ title: 'Agreement with the judge (quadratic weighted kappa)', scale: 'kappa', rows, domain: [lowest, 1] },
    reference: { value: 0, label: 'what chance would give' },
  });
  const { exact, within_1 } = main;
  const used = audit.judge_scores.filter((rows) => rows > 0.05 * sum(audit.judge_scores)).length;
  return section(
    'fidelity',
    question,
    html`<p>Shown ${count(exact.n)} answers, the ${word('grader')} gave the score of the ${word('judge')} for ${exact.point === null ? 'an unknown share' : percent(exact.point)}
of them, and a score at most one off for ${within_1.point === null ? 'an unknown share' : percent(within_1.point)}. Agreeing with the judge is not yet being right: see the next question.</p>`,
    html`<div class="pair">${await figureOf(
      confusionChart(main.confusion),
      html`Each row is one score of the judge; darker means a larger share of that row. Outlined: both gave the same score.`,
    )}<div>${await figureOf(kappas, baseNote(audit))}${await figureOf(
      judgeScoresChart(audit.judge_scores),
      html`${used} different scores each make up more than 5% of the judge’s verdicts.`,
    )}</div></div>`,
    table(
      'Fidelity of each grader, with intervals',
      [
        { head: 'graded by', cell: ({ label }) => label },
        {
          head: word('quadratic weighted kappa', 'kappa'),
          cell: ({ of }) => measured(of.quadratic_weighted_kappa, 'kappa'),
          numeric: true,
        },
        { head: 'same score', cell: ({ of }) => measured(of.exact, 'share'), numeric: true },
        { head: 'within 1', cell: ({ of }) => measured(of.within_1, 'share'), numeric: true },
        { head: 'mean distance of values', cell: ({ of }) => measured(of.mean_absolute_error, 'value'), numeric: true },
        { head: 'bias', cell: ({ of }) => measured(of.bias, 'value'), numeric: true },
        { head: 'n', cell: ({ of }) => count(of.exact.n), numeric: true },
      ],
      graders,
    ),
  );
}

function baseNote({ base_fidelity: base }: Audit): Html | undefined {
  if (base === null) return html`The untrained base was not measured: the audit has no verdicts of it.`;
  return base.exact.n > 0
    ? undefined
    : html`The untrained base scored none of the answers that the judge scored: see the verdicts by kind below.`;
}

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
