import { z } from 'zod';
import { posInt } from './numbers.ts';

export const LimitsSpec = z.strictObject({
  heartbeat_timeout_s: z.number().min(2).default(10).describe('Silence after which a worker counts as gone.'),
  node_timeout_s: z
    .number()
    .gt(0)
    .default(60)
    .describe('How long work waits for its node to take it up before another node is asked.'),
  model_start_timeout_s: z.number().gt(0).default(600).describe('Longest wait for a served model to answer.'),
  progress_floor_s: z
    .number()
    .gt(0)
    .default(300)
    .describe('Shortest silence of a trainer that may count as a hang; the deadline itself is learned from its steps.'),
  load_timeout_s: z
    .number()
    .gt(0)
    .default(1800)
    .describe('Longest silence while a trainer loads, before it has shown how long its steps take.'),
  max_errors_without_progress: posInt('Attempts that end by error without a commit before NoProgress.').default(3),
});

export type LimitsSpec = z.output<typeof LimitsSpec>;
