import { Audit, type MeasureRecord } from '../contracts/audit.ts';
import { type Asked, AuditRecords, plain } from '../report/audit-records.ts';
import { count, pointText, recordText } from '../report/figures.ts';
import { readContractIfAny } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { paint, paintVerdict } from './colors.ts';

/** The results of a run as rows of a table: label and value. */

export type Row = [label: string, value: string];

/** What the judge cost: the calls that were paid, and their tokens. */
export interface JudgeCost {
  calls: number;
  prompt_tokens: number;
  completion_tokens: number;
}

/** Reads what the table shows; null where the run has no audit yet. */
export const readAudit = (paths: RunPaths): Promise<Audit | null> => readContractIfAny(paths.report.audit, Audit);

/** What the demo shows of an audit: a few figures, with the grader in each of its modes. */
export function summaryRows(audit: Audit, cost: JudgeCost, seconds: number): Row[] {
  const records = new AuditRecords(audit);
  const graders = records.candidates().filter(({ role }) => role === 'grader');
  const text = (id: string) => recordText(records.find(id), records.measure(id).unit);
  const ofEach = (label: string, part: string, measure: string): Row[] =>
    graders.map(({ mode }) => [`${label}, ${plain(mode)}`, text(`${part}.grader.${mode}.${measure}`)]);
  const ofRole = (role: string, part: string, measure: string) =>
    found(records, (one) => one.role === role, part, measure);
  // Pairs have no scores.
  const [kappa, name] =
    audit.subject === 'pairwise' ? ['label_cohens_kappa', 'kappa'] : ['quadratic_weighted_kappa', 'QWK'];
  return [
    ['Policy before, held-out prompts', text('policy.policy.held_out.accuracy_first')],
    ['Policy after', text('policy.policy.held_out.accuracy_last')],
    ['Gain', text('policy.policy.held_out.gain')],
    ...ofEach(`Grader and judge agree (${name})`, 'fidelity', kappa),
    [`Untrained base and judge (${name})`, baseText(ofRole('base', 'fidelity', kappa))],
    ['Judge against truth', recordText(ofRole('judge', 'truth', 'balanced_accuracy'), 'share')],
    ...ofEach('Grader against truth', 'truth', 'balanced_accuracy'),
    ...ofEach('Grader minus judge', 'teacher_wrong', 'balanced_accuracy_difference'),
    ...ofEach('Right where the judge is wrong', 'teacher_wrong', 'follows_truth'),
    ['Verdicts/s, grader over judge', speedText(records)],
    [
      'Judge calls',
      `${count(cost.calls)} (${count(cost.prompt_tokens)} prompt and ${count(cost.completion_tokens)} completion tokens)`,
    ],
    ['Audit', paintVerdict(audit.verdict)],
    ['Time', duration(seconds)],
  ];
}

function found(records: AuditRecords, is: (one: Asked) => boolean, part: string, measure: string) {
  const one = records.asked(part).find(is);
  return one ? records.of(part, one, measure) : null;
}

const baseText = (record: MeasureRecord | null) =>
  record?.n === 0 ? 'the base gave no score' : recordText(record, 'kappa');

/** Each in the mode that it is used in; the same mode for both shows what the smaller model alone gives. */
function speedText(records: AuditRecords): string {
  const { contestants } = records.audit;
  const judge = contestants.find(({ role }) => role === 'judge');
  const ratio = (mode: string) => {
    const record = records.find(`speed.grader.${mode}.over_judge`);
    return record === null ? 'not known' : pointText(record, 'ratio');
  };
  return judge ? `${ratio('headline')} (same mode ${ratio(judge.mode)})` : 'not known';
}

export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Rows as text, the labels padded to one width. */
export function table(rows: Row[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `  ${paint.gray(label.padEnd(width))}  ${value}`).join('\n');
}
