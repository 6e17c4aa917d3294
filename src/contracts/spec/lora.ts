import { z } from 'zod';
import { posInt } from './numbers.ts';

export const LoraSpec = z.strictObject({
  r: posInt('Rank.').default(16),
  alpha: posInt('Scale; the update is multiplied by alpha / r.').default(32),
  dropout: z
    .number()
    .min(0)
    .max(0.9)
    .default(0)
    .describe('Share of the adapter inputs dropped in training; never in rollouts.'),
  target_modules: z
    .union([z.literal('all-linear'), z.array(z.string())])
    .default('all-linear')
    .describe('Layers that get an adapter.'),
});
