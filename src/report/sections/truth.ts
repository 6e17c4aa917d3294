import type { Audit } from '../../contracts/audit.ts';
import { figureOf, ink } from '../chart.ts';
import { type Html, html, table } from '../html.ts';
import { intervalChart } from '../interval-chart.ts';
import { count, measured, percent, points, word } from '../words.ts';
import { notMeasured, section } from './section.ts';

const question = 'Does the grader track the truth, or only the judge?';

/** Below this many wrong verdicts of the judge the subset's interval is wide. */
const enoughTeacherWrong = 100;

export async function truth(audit: Audit): Promise<Html> {
  if (audit.truth === null)
    return section(
      'truth',
      question,
      notMeasured(
        'the audit’s rows have no ground truth, so only agreement with the judge is known. A grader that copies the judge’s mistakes would look perfect.',
      ),
    );
  const guided = audit.reference_guided
    ? html`<p class="warning">The rubric is reference-guided: the judge was shown the ${word('ground truth')}, and so is the grader.</p>`
    : null;
  return section('truth', question, guided, await against(audit.truth, audit.threshold), await teacherWrong(audit));
}

type Truth = NonNullable<Audit['truth']>;

async function against(truth: Truth, threshold: number): Promise<Html> {
  const roles = (['grader', 'judge', 'base'] as const).map((role) => ({ role, of: truth[role] }));
  const known = roles.flatMap(({ role, of }) => (of ? [{ role, of }] : []));
  const absent = roles.filter(({ of }) => of === null).map(({ role }) => role);
  const chart = (title: string, measure: keyof Truth['grader'], reference?: { value: number; label: string }) =>
    figureOf(
      intervalChart({
        ...{ title, scale: 'share', domain: [0, 1], ...(reference && { reference }) },
        rows: known.map(({ role, of }) => ({ label: role, measure: of[measure], color: ink[role] })),
      }),
    );
  const less = truth.grader_minus_judge?.balanced_accuracy;
  return html`<p>A verdict counts as “right” where a ${word('score')} of ${threshold} or more is likelier than a lower one. Checked against the ${word('verifier')} on ${count(truth.n_right)} right and ${count(truth.n_wrong)} wrong answers${
    less?.point == null
      ? '.'
      : html`, the grader’s ${word('balanced accuracy')} is ${points(less.point)} against the judge’s (${word('interval')} ${measured(less, 'points').replace(/^.*\(/, '').replace(')', '')}).`
  }</p>
<div class="pair">${await chart('Balanced accuracy', 'balanced_accuracy', { value: 0.5, label: 'what a coin gets' })}
${await chart('Right answers called right', 'true_positive_rate')}${await chart('Wrong answers called wrong', 'true_negative_rate')}${await chart('All answers called correctly', 'accuracy')}</div>
${absent.length > 0 && html`<p class="note">Not measured: ${absent.join(' and ')} (the audit has no verdicts of it).</p>`}
${table(
  'Against the truth, with intervals',
  [
    { head: 'graded by', cell: ({ role }) => role },
    { head: 'balanced accuracy', cell: ({ of }) => measured(of.balanced_accuracy, 'share'), numeric: true },
    { head: 'right called right', cell: ({ of }) => measured(of.true_positive_rate, 'share'), numeric: true },
    { head: 'wrong called wrong', cell: ({ of }) => measured(of.true_negative_rate, 'share'), numeric: true },
    { head: 'n', cell: ({ of }) => count(of.accuracy.n), numeric: true },
  ],
  known,
)}`;
}

async function teacherWrong({ teacher_wrong: subset, truth }: Audit): Promise<Html> {
  const heading = html`<h3>Where the judge is wrong</h3>`;
  if (subset === null)
    return html`${heading}${notMeasured('it needs verdicts of the judge and ground truth for the same rows.')}`;
  const follows = subset.grader_follows_truth;
  if (follows.point === null) return html`${heading}${notMeasured('the judge was wrong about none of these answers.')}`;
  const all = (truth?.n_right ?? 0) + (truth?.n_wrong ?? 0);
  const chart = intervalChart({
    ...{ title: 'Where judge and truth differ', scale: 'share', domain: [0, 1] },
    rows: [
      { label: 'grader right, judge wrong', measure: follows, color: ink.truth },
      {
        label: 'grader wrong, judge right',
        measure: subset.grader_wrong_given_judge_right,
        color: ink.bad,
      },
    ],
  });
  return html`${heading}<p>The judge is wrong about the truth of ${count(subset.rows)} answers${all > 0 && ` (${percent(subset.rows / all, 1)})`}.
On these the grader is right for ${percent(follows.point)}; on the other ${percent(1 - follows.point)} it is wrong as the judge is. A grader that merely copies the judge would be right for none of them.</p>
${subset.rows < enoughTeacherWrong && html`<p class="note">${count(subset.rows)} answers are few for this question; ${enoughTeacherWrong} or more would narrow the interval.</p>`}
${await figureOf(chart)}`;
}
