import type { ChalkInstance } from 'chalk';
import { paintVerdict, paint as standard } from '../colors.ts';
import { type RunView, STAGES, type Stage, type StageView } from './run-view.ts';

/** A run as text: the line of a stage, one plain line for logs, and the whole status. */

export const STAGE_NAMES: Record<Stage, string> = { grpo: 'GRPO', sft: 'SFT', audit: 'Audit' };
const BAR = 24;

const percent = (value: number) => `${(100 * value).toFixed(0)}%`;
const fixed = (digits: number) => (value: number) => value.toFixed(digits);

/** Figures worth a place in one line, per stage; a stage shows those that it has. */
const FIGURES: Record<Stage, [key: string, label: string, format: (value: number) => string][]> = {
  grpo: [
    ['reward', 'reward', fixed(2)],
    ['verifier_accuracy', 'verifier', percent],
    ['judge_value', 'judge value', fixed(1)],
    ['order_dependent', 'order-dependent', percent],
    ['eval_first', 'held-out before', percent],
    ['eval_last', 'after', percent],
  ],
  sft: [
    ['loss', 'loss', fixed(3)],
    ['eval_loss', 'held-out loss', fixed(3)],
  ],
  audit: [
    ['verdicts_per_s', 'verdicts/s', fixed(0)],
    ['quadratic_weighted_kappa', 'kappa', fixed(2)],
    ['label_cohens_kappa', 'kappa', fixed(2)],
  ],
};

/** `reward 0.61  verifier 72%`, from the metrics that are there. */
export function figures(stage: Stage, metrics: StageView['metrics']): string {
  return FIGURES[stage]
    .filter(([key]) => typeof metrics[key] === 'number')
    .map(([key, label, format]) => `${label} ${format(metrics[key] as number)}`)
    .join('  ');
}

/** Done and total of what goes on now. */
export function progressOf(stage: StageView): { done: number; total: number } {
  if (stage.state === 'done') return { done: 1, total: 1 };
  if (stage.part) return { done: stage.part.step, total: stage.part.total };
  return { done: stage.step, total: stage.total };
}

function doing(stage: StageView): string {
  if (stage.state === 'waiting' && stage.waiting)
    return `waiting for ${stage.waiting.for} ${stage.waiting.seconds.toFixed(0)} s`;
  if (stage.state === 'running') return stage.phase ?? 'starting';
  return stage.state;
}

/** One stage as a bar: `GRPO   ██████░░░░  34/60  train  reward 0.61  verifier 72%`. */
export function stageLine(
  name: Stage,
  stage: StageView,
  { width = 1000, paint = standard }: { width?: number; paint?: ChalkInstance } = {},
): string {
  const { done, total } = progressOf(stage);
  const filled = total > 0 ? Math.round((BAR * Math.min(done, total)) / total) : 0;
  const color = stage.state === 'failed' ? paint.red : stage.state === 'done' ? paint.green : paint.cyan;
  const bar = color('█'.repeat(filled)) + paint.gray('░'.repeat(BAR - filled));
  const count =
    stage.state === 'done' ? (stage.total > 0 ? `${stage.total}` : '') : total > 0 ? `${done}/${total}` : '';
  // A finished stage shows its result, not the figures of its last phase.
  const last =
    name === 'grpo' && stage.state === 'done'
      ? { ...stage.metrics, reward: null, verifier_accuracy: null }
      : stage.metrics;
  const text = [doing(stage), figures(name, last)].filter(Boolean).join('  ');
  const room = Math.max(10, width - BAR - 20);
  return `${STAGE_NAMES[name].padEnd(6)} ${bar} ${count.padStart(9)}  ${text.slice(0, room)}`;
}

/** One line for a log: what the run does now. */
export function plainLine(view: RunView): string {
  const { stage } = view;
  if (stage !== 'grpo' && stage !== 'sft' && stage !== 'audit') return stage;
  const current = view.stages[stage];
  const { done, total } = progressOf(current);
  const count = total > 0 ? `${done}/${total}` : '';
  return [STAGE_NAMES[stage], doing(current), count, figures(stage, current.metrics)].filter(Boolean).join('  ');
}

/** The answer of `gavel status`. */
export function statusText(view: RunView, paint = standard): string {
  const lines = [`${paint.bold(view.run)}  ${view.state}${view.state === 'running' ? ` (${view.stage})` : ''}`];
  for (const name of STAGES)
    lines.push(`  ${stageLine(name, view.stages[name], { paint, width: process.stdout.columns ?? 1000 })}`);
  if (view.failure) lines.push('', paint.red(`Failed: ${view.failure}`));
  if (view.processes.length > 0) {
    lines.push('', '  role      pid       host                  epoch');
    for (const { role, pid, host, epoch } of view.processes) {
      lines.push(`  ${role.padEnd(9)} ${String(pid).padEnd(9)} ${host.padEnd(21)} ${epoch ?? '-'}`);
    }
  }
  const { count, steps_lost, latest } = view.interruptions;
  if (count > 0) lines.push('', `Interruptions: ${count}, steps lost: ${steps_lost}`);
  for (const { at, stage, what, message } of latest) lines.push(`  ${at}  ${stage}  ${what}: ${message}`);
  for (const { at, stage, step, message } of view.alarms)
    lines.push('', paint.yellow(`${at}  alarm in ${stage} at step ${step}: ${message}`));
  if (view.verdict) lines.push('', `Audit: ${paintVerdict(view.verdict)}`);
  if (view.report) lines.push(`Report: ${view.report}`);
  for (const note of view.notes) lines.push('', `Note: ${note}`);
  return lines.join('\n');
}
