import { z } from 'zod';

/**
 * How the policy's next token is drawn, besides the temperature: fields of `grpo`.
 * The names and meanings are those of transformers, TRL and vLLM.
 */
export const rolloutSampling = {
  top_p: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe(
      'Share of probability that is sampled from. This and the next four fields also hold for the eval and audit completions, so that the audit grades the kind of text that training makes. The loss takes log-probabilities from the whole distribution at the temperature, as TRL does.',
    ),
  top_k: z.int().min(0).default(0).describe('How many of the likeliest tokens are sampled from; 0: all.'),
  min_p: z.number().min(0).lt(1).default(0).describe("Least probability, as a share of the likeliest token's; 0: any."),
  repetition_penalty: z
    .number()
    .gt(0)
    .max(2)
    .default(1)
    .describe('Above 1, tokens of the prompt and of the completion so far become less likely.'),
  stop: z
    .array(z.string().min(1))
    .default([])
    .describe('A completion ends with the first of these texts and contains it. Not with rollout transformers.'),
};
