import type { Spec } from '../contracts/spec/spec.ts';

/** The judge's calls in stage grpo. Equal texts, and replies that are known, make them fewer. */
export interface JudgeCalls {
  per_step: number;
  total: number;
  /** How they come about, in words. */
  why: string;
}

export function judgeCallsOf({ grpo, judge }: Spec): JudgeCalls {
  const { prompts_per_step, num_generations, steps } = grpo;
  const { votes } = judge.panel;
  const opponents = grpo.opponents ?? num_generations - 1;
  const pairs = (num_generations * opponents) / 2;
  const [per_prompt, why] =
    judge.mode === 'pairwise'
      ? [2 * pairs * votes, `${pairs} pairs a group, each in both orders`]
      : [num_generations * votes, votes === 1 ? 'one a completion' : `${votes} a completion`];
  const per_step = prompts_per_step * per_prompt;
  return { per_step, total: steps * per_step, why };
}
