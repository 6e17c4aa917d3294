import { z } from 'zod';
import { posInt } from './numbers.ts';

export const SamplingSpec = z.strictObject({
  temperature: z.number().min(0).max(2).default(0).describe('0 always takes the likeliest token.'),
  top_p: z.number().gt(0).max(1).default(1).describe('Share of probability that is sampled from.'),
  max_tokens: posInt('Longest reply, tokens.').default(512),
});

export type SamplingSpec = z.output<typeof SamplingSpec>;
