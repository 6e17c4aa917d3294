import { z } from 'zod';
import { posInt } from './numbers.ts';

/** How vLLM serves the model of one role. */
export const ServeSpec = z.strictObject({
  dtype: z
    .enum(['auto', 'float32', 'bfloat16', 'float16'])
    .default('auto')
    .describe('Precision of the weights; auto takes that of the checkpoint, and half precision for a float32 one.'),
  max_model_len: posInt('Context length, tokens.').nullable().default(null),
  tensor_parallel_size: posInt('GPUs that share one copy of the model.').default(1),
  data_parallel_size: posInt('Copies of the model.').default(1),
  gpu_memory_utilization: z
    .number()
    .gt(0)
    .max(1)
    .nullable()
    .default(null)
    .describe("Share of a GPU's memory that vLLM may take; null leaves it to vLLM."),
  extra_args: z
    .array(z.string())
    .default([])
    .describe(
      'Further flags of vLLM, of those that decide speed and memory; a worker allows more with GAVEL_ALLOW_ARGS.',
    ),
});

export type ServeSpec = z.output<typeof ServeSpec>;
