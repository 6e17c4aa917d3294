import { allowedLoss, type Cost } from '../check/fault-costs.ts';
import { SAVE_EVERY } from '../run/small-spec.ts';

/** One row a kind of fault: the worst and the usual cost over a campaign. */

export interface Row {
  kind: string;
  count: number;
  /** Where it struck, and how often: "grpo 2, sft 1". */
  where: string;
  steps_lost_max: number;
  steps_lost_allowed: number;
  asked_again: number | null;
  to_epoch_max: number | null;
  to_trainer_max: number | null;
  to_trainer_p95: number | null;
  to_commit_p50: number | null;
  to_commit_p95: number | null;
  effective_share: number | null;
  measured: Record<string, { p50: number; max: number; n: number }>;
}

export function rowsOf(costs: readonly Cost[]): Row[] {
  const kinds = [...new Set(costs.map(({ kind }) => kind))].sort();
  return [...kinds, 'all'].map((kind) => {
    const own = costs.filter((cost) => kind === 'all' || cost.kind === kind);
    const commits = own.flatMap(({ to_commit }) => (to_commit === null ? [] : [to_commit]));
    const trainers = own.flatMap(({ to_trainer }) => (to_trainer === null ? [] : [to_trainer]));
    const grpo = own.filter(({ stage }) => stage === 'grpo');
    const window = grpo.reduce((sum, cost) => sum + cost.window, 0);
    const names = [...new Set(own.flatMap(({ measured }) => Object.keys(measured)))];
    return {
      kind,
      count: own.length,
      where: placesOf(own),
      steps_lost_max: Math.max(0, ...own.map(({ steps_lost }) => steps_lost)),
      steps_lost_allowed: kind === 'all' ? 2 * SAVE_EVERY : allowedLoss(kind),
      asked_again: sumOf(own.flatMap(({ asked_again }) => (asked_again === null ? [] : [asked_again]))),
      to_epoch_max: most(own.flatMap(({ to_epoch }) => (to_epoch === null ? [] : [to_epoch]))),
      to_trainer_max: most(trainers),
      to_trainer_p95: quantile(trainers, 0.95),
      to_commit_p50: quantile(commits, 0.5),
      to_commit_p95: quantile(commits, 0.95),
      effective_share: window > 0 ? grpo.reduce((sum, cost) => sum + cost.effective, 0) / window : null,
      measured: Object.fromEntries(
        names.map((name) => {
          const values = own.flatMap(({ measured }) => (measured[name] === undefined ? [] : [measured[name]]));
          return [name, { p50: quantile(values, 0.5) ?? 0, max: Math.max(...values), n: values.length }];
        }),
      ),
    };
  });
}

function placesOf(costs: readonly Cost[]): string {
  const stages = ['prepare', 'grpo', 'sft', 'audit', 'report'];
  const counted = stages.map((stage) => ({ stage, n: costs.filter((cost) => cost.stage === stage).length }));
  return counted.flatMap(({ stage, n }) => (n > 0 ? [`${stage} ${n}`] : [])).join(', ');
}

const sumOf = (values: readonly number[]) => (values.length === 0 ? null : values.reduce((sum, each) => sum + each, 0));
const most = (values: readonly number[]) => (values.length === 0 ? null : Math.max(...values));

/** Linear interpolation between order statistics (type 7 of Hyndman and Fan); null of nothing. */
export function quantile(values: readonly number[], q: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)] as number, sorted[Math.ceil(at)] as number];
  return low + (high - low) * (at - Math.floor(at));
}
