import { Audit, type MeasureInfo, type MeasureRecord } from '../../src/contracts/audit.ts';

/** An audit with figures of the size that the demo has: a judge, a grader in two modes, its base and always-pass. */

const ROWS = 660;
const PROMPTS = 110;
const JACKKNIFE = 'jackknife over 110 prompts, Student’s t';

export function record(id: string, point: number | null, half = 0.03, n = ROWS, slice = 'all'): MeasureRecord {
  const bound = (value: number) => (point === null ? null : Number(value.toFixed(4)));
  const [low, high] = [bound((point ?? 0) - half), bound((point ?? 0) + half)];
  const method = point === null ? 'there is no row to compute it from' : JACKKNIFE;
  return { id, slice, point, low, high, n, prompts: Math.min(n, PROMPTS), method };
}

const measure = (
  part: string,
  name: string,
  unit: MeasureInfo['unit'],
  label: string,
  more: Partial<MeasureInfo> = {},
): MeasureInfo => ({ part, name, label, unit, meaning: `What ${label} is.`, chance: null, chart: false, ...more });

const measures: MeasureInfo[] = [
  measure('fidelity', 'quadratic_weighted_kappa', 'kappa', 'quadratic weighted kappa', { chance: 0, chart: true }),
  measure('fidelity', 'exact', 'share', 'same score'),
  measure('fidelity', 'bias', 'score', 'bias'),
  measure('truth', 'balanced_accuracy', 'share', 'balanced accuracy', { chance: 0.5, chart: true }),
  measure('truth', 'true_positive_rate', 'share', 'right called right'),
  measure('teacher_wrong', 'follows_truth', 'share', 'right where the judge is wrong', { chart: true }),
  measure('teacher_wrong', 'balanced_accuracy_difference', 'difference', 'balanced accuracy minus the judge’s', {
    chart: true,
  }),
  measure('coverage', 'scored', 'share', 'scored'),
  measure('speed', 'verdicts_per_s', 'rate', 'verdicts per second'),
  measure('speed', 'over_judge', 'ratio', 'speed over the judge’s'),
  measure('policy', 'accuracy_first', 'share', 'right answers before', { chart: true }),
  measure('policy', 'accuracy_last', 'share', 'right answers after', { chart: true }),
  measure('policy', 'gain', 'difference', 'gain', { chart: true }),
];

const parts = [
  ['fidelity', 'Does the grader reproduce the judge?', 'Agreement with the judge is not yet being right.'],
  ['truth', 'Does the grader track the truth?', 'Verdicts against what is known to be right.'],
  ['teacher_wrong', 'What does the grader do where the judge is wrong?', 'A copy is wrong wherever the judge is.'],
  ['coverage', 'Was every answer graded?', 'A verdict without a score is never taken for a score.'],
  ['speed', 'How fast is it?', 'Verdicts per second of wall time.'],
  ['policy', 'Did the policy learn?', 'Right answers to held-out problems.'],
].map(([part = '', question = '', meaning = '']) => ({ part, question, meaning, needs: `what ${part} needs` }));

const KAPPA = 'fidelity.grader.single_token.quadratic_weighted_kappa';
const DIFFERENCE = 'teacher_wrong.grader.single_token.balanced_accuracy_difference';
const SCORED = 'coverage.grader.single_token.scored';

/** Measured over all rows. */
const whole: MeasureRecord[] = [
  record(KAPPA, 0.862, 0.031),
  record('fidelity.grader.reasoned.quadratic_weighted_kappa', 0.831, 0.034),
  record('fidelity.base.single_token.quadratic_weighted_kappa', null, 0, 0),
  record('fidelity.grader.single_token.exact', 0.783, 0.029),
  record('fidelity.grader.reasoned.exact', 0.802, 0.029),
  record('fidelity.grader.single_token.bias', -0.08, 0.05),
  record('truth.judge.reasoned.balanced_accuracy', 0.905, 0.024),
  record('truth.grader.single_token.balanced_accuracy', 0.884, 0.026),
  record('truth.grader.reasoned.balanced_accuracy', 0.955, 0.019),
  record('truth.always_pass.constant.balanced_accuracy', 0.5, 0),
  record('truth.judge.reasoned.true_positive_rate', 0.951, 0.024, 385),
  record('truth.grader.single_token.true_positive_rate', 0.942, 0.024, 385),
  record('teacher_wrong.grader.single_token.follows_truth', 0.312, 0.115, 61),
  record('teacher_wrong.grader.reasoned.follows_truth', 0.557, 0.121, 61),
  record(DIFFERENCE, -0.021, 0.018),
  record('teacher_wrong.grader.reasoned.balanced_accuracy_difference', 0.05, 0.039),
  record('coverage.judge.reasoned.scored', 0.992, 0.006),
  record(SCORED, 0.998, 0.002),
  record('coverage.base.single_token.scored', 0, 0.01),
  ...[
    record('speed.judge.reasoned.verdicts_per_s', 92.4),
    record('speed.grader.single_token.over_judge', 5.55),
    record('speed.grader.reasoned.over_judge', 1.32),
  ].map((one) => ({ ...one, low: null, high: null, method: 'one pass, timed once' })),
  record('policy.policy.held_out.accuracy_first', 0.455, 0.062, 200),
  record('policy.policy.held_out.accuracy_last', 0.72, 0.058, 200),
  record('policy.policy.held_out.gain', 0.265, 0.074, 200),
];

const checkpoints = ['step-000000', 'step-000030', 'step-000060'];

const sliced = checkpoints.flatMap((value, at) => [
  record(KAPPA, 0.8 + at / 50, 0.06, 220, `checkpoint=${value}`),
  record('truth.judge.reasoned.balanced_accuracy', 0.88 + at / 50, 0.05, 220, `checkpoint=${value}`),
  record('truth.grader.reasoned.balanced_accuracy', 0.9, 0.05, 220, `checkpoint=${value}`),
]);

const judgeScores = [62, 38, 71, 55, 66, 24, 18, 84, 31, 211];
const digits = [...'0123456789'];

/** Mostly on the diagonal, some off by the whole scale. */
const confusion = judgeScores.map((rows, judge) =>
  judgeScores.map((_, grader) => {
    const far = Math.round(rows * 0.1);
    return grader === judge ? rows - far : grader === 9 - judge ? far : 0;
  }),
);

const confusionOf = (role: string, mode: string) => ({
  ...{ id: `fidelity.${role}.${mode}.confusion`, label: 'Scores', row_label: 'judge', column_label: role },
  ...{ rows: digits, columns: digits, cells: confusion },
});

const pass = (role: string, mode: 'reasoned' | 'single_token', perSecond: number, tokens: number, asked = ROWS) => ({
  ...{ role, mode, model: role, rows: ROWS, asked, seconds: ROWS / perSecond, verdicts_per_s: perSecond },
  ...{ prompt_tokens: ROWS * 58, completion_tokens: Math.round(ROWS * tokens) },
});

const passes = [
  pass('judge', 'reasoned', 92.4, 42.1, 655),
  pass('grader', 'single_token', 512.9, 1),
  pass('grader', 'reasoned', 121.7, 40.3),
  pass('base', 'single_token', 508.1, 1),
];

const recordOf = (id: string) => whole.find((one) => one.id === id) as MeasureRecord;

const gate = (id: string, name: string, at_least: number) => ({
  ...{
    id,
    slice: 'all',
    at_least,
    at_most: null,
    verdict: 'PASS',
    reason: 'even the lower end is not below the bound',
  },
  matches: [{ record: recordOf(name), verdict: 'PASS', reason: 'even the lower end is not below the bound' }],
});

export const audit = Audit.parse({
  ...{ version: 2, run: 'demo', created_at: '2026-05-04T10:11:12.000Z', subject: 'pointwise' },
  ...{ rows: ROWS, prompts: PROMPTS, excluded_rows: 6, truth_labels: { right: 385, wrong: 275 } },
  ...{ headline_mode: 'single_token', reference_guided: false, threshold: 5, confidence: 0.95 },
  look: { number: 1, data_digest: 'd'.repeat(64), asked_confidence: 0.95 },
  contestants: passes.map(({ role, mode }) => ({ role, mode, source: 'endpoint', model: `models/${role}` })),
  ...{ parts, measures, records: [...whole, ...sliced] },
  tables: [
    confusionOf('grader', 'single_token'),
    confusionOf('grader', 'reasoned'),
    ...['judge.reasoned', 'grader.single_token'].map((asked) => ({
      ...{ id: `fidelity.${asked}.scores`, label: 'Scores given', row_label: '', column_label: 'score' },
      ...{ rows: ['verdicts'], columns: digits, cells: [judgeScores] },
    })),
  ],
  findings: [
    { id: KAPPA, text: 'The grader (single token) reproduces the judge closely.' },
    { id: 'fidelity.grader.reasoned.quadratic_weighted_kappa', text: 'The grader (reasoned) reproduces the judge.' },
    {
      id: 'truth.grader.reasoned.balanced_accuracy',
      text: 'The grader (reasoned) is right about 95.5% of the answers, right and wrong ones weighed alike.',
    },
    { id: 'teacher_wrong.grader.single_token.follows_truth', text: 'The grader (single token) mostly copies errors.' },
    { id: 'teacher_wrong.grader.reasoned.follows_truth', text: 'The grader (reasoned) follows the truth more often.' },
    { id: 'teacher_wrong.grader.reasoned.balanced_accuracy_difference', text: 'The reasoned grader beats the judge.' },
    { id: 'policy.policy.held_out.gain', text: 'The policy learned: 26.5 points more right answers.' },
  ],
  slices: [
    {
      field: 'checkpoint',
      values: checkpoints.map((value) => ({ value, rows: 220, prompts: PROMPTS })),
      left_out: 'step-000090: fewer than 30 prompts',
    },
  ],
  passes,
  gates: [
    gate('fidelity.grader.headline.quadratic_weighted_kappa', KAPPA, 0.75),
    gate('teacher_wrong.grader.headline.balanced_accuracy_difference', DIFFERENCE, -0.05),
    gate('coverage.grader.headline.scored', SCORED, 0.95),
  ],
  ...{ verdict: 'PASS', covers: ['fidelity', 'teacher_wrong', 'coverage'] },
});

/** The same audit with its records changed; a record for which the change returns null is taken out. */
export function withRecords(change: (one: MeasureRecord) => MeasureRecord | null): Audit {
  return { ...audit, records: audit.records.flatMap((one) => change(one) ?? []) };
}
