import type { GradingMode } from '../mode.ts';
import { type Rule, rule } from './rule.ts';

/** What holds where the judge compares completions: nothing of the run then has scores. */

const others = (modes: GradingMode[]): GradingMode[] => modes.filter((mode) => mode !== 'pairwise');

/** Measures that pairs do not have. */
const OF_SCORES =
  /\.(quadratic_weighted_kappa|exact|within_1|bias|mean_absolute_error|spearman|kendall_tau_b|tie_rate|within_prompt_rank_correlation|value_is_expectation|auroc|matthews_correlation|true_(positive|negative)_rate|scored_among_\w+)$/;

export const pairwiseRules: Rule[] = [
  rule('sft.modes', ({ judge, sft }) => {
    if (judge.mode !== 'pairwise')
      return (
        sft.modes.includes('pairwise') &&
        `expected modes without pairwise: a judge in mode ${judge.mode} compares nothing`
      );
    const scoring = others(sft.modes);
    return (
      scoring.length > 0 && `expected pairwise alone: a judge that compares gives no scores to teach; found ${scoring}`
    );
  }),
  rule(
    'audit.grader_modes',
    ({ judge, audit }) =>
      judge.mode === 'pairwise' &&
      others(audit.grader_modes).length > 0 &&
      `expected pairwise alone: the judge compares, and so does its grader; found ${others(audit.grader_modes)}`,
  ),
  rule(
    'audit.headline_mode',
    ({ judge, audit }) =>
      judge.mode === 'pairwise' &&
      audit.headline_mode !== 'pairwise' &&
      `expected pairwise, the mode of the judge; found ${audit.headline_mode}`,
  ),
  rule(
    'audit.temperature',
    ({ judge, audit }) =>
      judge.mode === 'pairwise' &&
      audit.temperature === 0 &&
      'expected more than 0: the audit compares completions of one prompt, which are all the same at 0',
  ),
  rule(
    'judge.panel.confidence_threshold',
    ({ judge }) =>
      judge.mode === 'pairwise' &&
      judge.panel.confidence_threshold > 0 &&
      `expected 0: which pairs were below it is not kept for the grader's training; found ${judge.panel.confidence_threshold}`,
  ),
  rule(
    'audit.completions_per_prompt',
    ({ judge, audit }) =>
      judge.mode === 'pairwise' &&
      audit.completions_per_prompt % 2 !== 0 &&
      `expected an even number: with judge.mode pairwise the audit compares them two by two; found ${audit.completions_per_prompt}`,
  ),
  rule('audit.gates', ({ judge, audit }) => {
    const scored = audit.gates.find(({ id, slice }) => OF_SCORES.test(id) || slice.startsWith('score='));
    return (
      judge.mode === 'pairwise' &&
      scored !== undefined &&
      `expected gates on labels, since pairs have no scores, say fidelity.grader.headline.label_cohens_kappa; found ${scored.id}`
    );
  }),
  rule(
    'sft.balance',
    ({ judge, sft }) =>
      judge.mode === 'pairwise' &&
      sft.balance !== 'none' &&
      `expected none: with judge.mode pairwise each pair is taught in both orders, and has no score; found ${sft.balance}`,
  ),
  rule(
    'sft.targets',
    ({ judge, sft }) =>
      judge.mode === 'pairwise' &&
      sft.targets !== 'score' &&
      `expected score: with judge.mode pairwise a trace has no distribution over scores; found ${sft.targets}`,
  ),
  rule(
    'grpo.opponents',
    ({ judge, grpo }) =>
      judge.mode !== 'pairwise' &&
      grpo.opponents !== null &&
      `expected null: judge.mode ${judge.mode} judges each completion alone`,
  ),
  rule('grpo.opponents', ({ grpo: { opponents, num_generations } }) => {
    if (opponents === null) return false;
    if (opponents >= num_generations)
      return `expected at most ${num_generations - 1}, since a group has grpo.num_generations = ${num_generations} completions; found ${opponents}`;
    return (
      (opponents * num_generations) % 2 !== 0 &&
      `expected an even number, since grpo.num_generations = ${num_generations} is odd and each pair has two completions; found ${opponents}`
    );
  }),
  rule(
    'grpo.processes',
    ({ judge, grpo }) =>
      judge.mode === 'pairwise' &&
      grpo.prompts_per_step % grpo.processes !== 0 &&
      `expected a divisor of prompts_per_step = ${grpo.prompts_per_step}, so that no group spans two ranks and each pair is compared once; found ${grpo.processes}`,
  ),
];
