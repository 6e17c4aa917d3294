import { Audit, type Measure } from '../contracts/audit.ts';
import { readTraces } from '../ledger/reader.ts';
import { readContractIfAny } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { paint, paintVerdict } from './colors.ts';

/** The results of a run as rows of a table: label and value. */

export type Row = [label: string, value: string];

/** What the judge cost, from the ledger; a reply used twice was paid once. */
export interface JudgeCost {
  calls: number;
  prompt_tokens: number;
  completion_tokens: number;
}

export async function judgeCost(paths: RunPaths): Promise<JudgeCost> {
  const cost = { calls: 0, prompt_tokens: 0, completion_tokens: 0 };
  for await (const trace of readTraces(paths.dir, { role: 'judge' })) {
    if (trace.reused_from !== null) continue;
    cost.calls += 1;
    cost.prompt_tokens += trace.usage?.prompt_tokens ?? 0;
    cost.completion_tokens += trace.usage?.completion_tokens ?? 0;
  }
  return cost;
}

/** Reads what the table shows; null where the run has no audit yet. */
export const readAudit = (paths: RunPaths): Promise<Audit | null> => readContractIfAny(paths.report.audit, Audit);

const percent = (value: number) => `${(100 * value).toFixed(1)}%`;
const plain = (value: number) => value.toFixed(3);
const points = (value: number) => `${value >= 0 ? '+' : ''}${(100 * value).toFixed(1)} points`;

/** `0.861 [0.832, 0.887], n 480`. */
export function measureText(measure: Measure | null | undefined, format: (value: number) => string, unit = ''): string {
  if (!measure || measure.point === null) return 'not known';
  const interval =
    measure.low === null || measure.high === null ? '' : ` [${format(measure.low)}, ${format(measure.high)}]`;
  return `${format(measure.point)}${unit}${interval}, n ${measure.n}`;
}

const times = (value: number | null) => (value === null ? 'not known' : `${value.toFixed(1)}x`);
const count = (value: number) => value.toLocaleString('en-US');

export function summaryRows(audit: Audit, cost: JudgeCost, seconds: number): Row[] {
  const { policy, fidelity, base_fidelity, speed, truth } = audit;
  return [
    ['Policy before, held-out prompts', measureText(policy.first, percent)],
    ['Policy after', measureText(policy.last, percent)],
    ['Gain', measureText(policy.gain, points)],
    ['Grader and judge agree (QWK)', measureText(fidelity?.quadratic_weighted_kappa, plain)],
    [
      'Untrained base and judge (QWK)',
      base_fidelity?.exact.n === 0
        ? 'the base gave no score'
        : measureText(base_fidelity?.quadratic_weighted_kappa, plain),
    ],
    ['Grader against truth', measureText(truth?.grader.balanced_accuracy, percent)],
    ['Judge against truth', measureText(truth?.judge?.balanced_accuracy, percent)],
    ['Verdicts/s, grader over judge', `${times(speed.grader_over_judge)} (same mode ${times(speed.same_mode)})`],
    [
      'Judge calls',
      `${count(cost.calls)} (${count(cost.prompt_tokens)} prompt and ${count(cost.completion_tokens)} completion tokens)`,
    ],
    ['Audit', paintVerdict(audit.verdict)],
    ['Time', duration(seconds)],
  ];
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
