import { z } from 'zod';
import { posInt } from './numbers.ts';

export const SamplingSpec = z.strictObject({
  temperature: z.number().min(0).max(2).default(0).describe('0 always takes the likeliest token.'),
  top_p: z.number().gt(0).max(1).default(1).describe('Share of probability that is sampled from.'),
  top_k: z.int().min(0).default(0).describe('How many of the likeliest tokens are sampled from; 0: all.'),
  min_p: z.number().min(0).max(1).default(0).describe("Least probability, as a share of the likeliest token's."),
  repetition_penalty: z.number().gt(0).max(2).default(1).describe('Above 1, tokens seen before become less likely.'),
  presence_penalty: z.number().min(-2).max(2).default(0).describe('Taken from the logit of each token written before.'),
  frequency_penalty: z.number().min(-2).max(2).default(0).describe('The same, for each time that it was written.'),
  max_tokens: posInt('Longest reply, tokens.').default(512),
});

export type SamplingSpec = z.output<typeof SamplingSpec>;
