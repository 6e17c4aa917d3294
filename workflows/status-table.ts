import type { Alarm } from '../src/contracts/alarm.ts';
import type { InterruptionTotals } from '../src/contracts/interruption.ts';
import type { RunStatus, StageStatus } from '../src/contracts/status.ts';

/** Current details of a workflow in the Web UI, as Markdown for readers who do not know gavel. */
export function statusTable(status: RunStatus, about: string | null): string {
  const rows = Object.entries(status.stages).map(([name, stage]) => stageRow(name, stage));
  return [
    headline(status),
    ...(about === null ? [] : ['', about]),
    ...status.alarms.flatMap(alarm),
    '',
    '| Stage | State | Step | Figures | Last checkpoint |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    ...losses(status.interruptions),
  ].join('\n');
}

const doing: Record<RunStatus['stage'], string> = {
  prepare: 'preparing: spec, models and prompts are checked',
  grpo: 'GRPO: the judge rewards the policy; every trace is kept',
  sft: 'SFT: the grader is distilled from the traces',
  audit: 'Audit: the grader against the judge and against the truth',
  report: 'writing the report',
  done: 'done',
  failed: 'failed',
};

function headline({ run, stage, verdict, report }: RunStatus): string {
  const result = [verdict && `audit **${verdict}**`, report && `report \`${report}\``].filter(Boolean).join(', ');
  return `**${run}**: ${doing[stage]}${result ? ` (${result})` : ''}`;
}

const names: Record<string, string> = { grpo: 'GRPO', sft: 'SFT', audit: 'Audit' };

function stageRow(name: string, { state, step, total, metrics, checkpoint }: StageStatus): string {
  const steps = total > 0 ? `${step} / ${total}` : '';
  return `| ${names[name] ?? name} | ${state} | ${steps} | ${figures(metrics)} | ${checkpoint ?? ''} |`;
}

const shown: [string, string, (value: number) => string][] = [
  ['reward', 'reward', (value) => value.toFixed(2)],
  ['verifier_accuracy', 'verifier accuracy', percent],
  ['judge_value', 'judge value', (value) => value.toFixed(1)],
  ['order_dependent', 'pairs that depend on the order', percent],
  ['loss', 'loss', (value) => value.toFixed(3)],
  ['eval_first', 'held-out accuracy before', percent],
  ['eval_last', 'after', percent],
  ['quadratic_weighted_kappa', 'kappa with the judge', (value) => value.toFixed(2)],
  ['label_cohens_kappa', 'kappa with the judge', (value) => value.toFixed(2)],
];

function figures(metrics: Record<string, number | null>): string {
  return (
    shown
      // The loss of a policy gradient is about 0 by construction, so it is not shown.
      .filter(([key]) => typeof metrics[key] === 'number' && !(key === 'loss' && 'reward' in metrics))
      .map(([key, label, format]) => `${label} ${format(metrics[key] as number)}`)
      .join(', ')
  );
}

function percent(value: number): string {
  return `${(100 * value).toFixed(0)}%`;
}

function alarm({ stage, step, message }: Alarm): string[] {
  return ['', `**Alarm** in ${names[stage] ?? stage} at step ${step}: ${message}`];
}

function losses({ count, steps_lost, by_cause, latest }: InterruptionTotals): string[] {
  if (count === 0) return ['', 'No interruptions.'];
  const causes = Object.entries(by_cause).map(([cause, times]) => `${times} ${cause.replaceAll('_', ' ')}`);
  const rows = latest.map(({ at, stage, what, message, steps_lost, seconds_to_next_commit }) => {
    const back = seconds_to_next_commit === null ? '' : `${seconds_to_next_commit.toFixed(0)} s`;
    return `| ${at} | ${stage} | ${what} | ${message} | ${steps_lost ?? ''} | ${back} |`;
  });
  return [
    '',
    `Interruptions: ${count} (${causes.join(', ')}), steps lost: ${steps_lost}. The latest:`,
    '',
    '| When | Stage | What | Cause | Steps lost | To the next commit |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ];
}
