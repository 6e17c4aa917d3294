import { z } from 'zod';

export const PlacementSpec = z.strictObject({
  judge_gpus: z
    .int()
    .min(0)
    .default(0)
    .describe('For the judge: judge.serve.tensor_parallel_size x data_parallel_size.'),
  rollout_gpus: z
    .int()
    .min(0)
    .default(0)
    .describe(
      'For grpo.rollout served and vllm_server: policy.serve.tensor_parallel_size x data_parallel_size; each copy has a server of its own.',
    ),
  trainer_gpus: z.int().min(0).default(0).describe('For training, one for each process.'),
  grader_gpus: z
    .int()
    .min(0)
    .default(0)
    .describe('For each model that the audit serves: tensor_parallel_size x data_parallel_size of its serve.'),
});

export type PlacementSpec = z.output<typeof PlacementSpec>;
