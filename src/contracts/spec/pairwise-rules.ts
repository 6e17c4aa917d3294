import type { GradingMode } from '../mode.ts';
import { type Rule, rule } from './rule.ts';

/** What holds where the judge compares completions: nothing of the run then has scores. */

const others = (modes: GradingMode[]): GradingMode[] => modes.filter((mode) => mode !== 'pairwise');

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
    const scored = audit.gates.find(({ id }) => /quadratic_weighted_kappa/.test(id));
    return (
      judge.mode === 'pairwise' &&
      scored !== undefined &&
      `expected gates on labels, since pairs have no scores: fidelity.grader.headline.label_cohens_kappa in place of ${scored.id}`
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
