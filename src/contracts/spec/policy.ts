import { z } from 'zod';
import { chatTemplateKwargs, extraBody, modelName, revision } from './model.ts';
import { SamplingSpec } from './sampling.ts';
import { ServeSpec } from './serve.ts';

export const PolicySpec = z.strictObject({
  model: modelName(),
  revision: revision(),
  chat_template_kwargs: chatTemplateKwargs(),
  serve: ServeSpec.prefault({}),
  sampling: SamplingSpec.prefault({}),
  extra_body: extraBody(),
  outage_limit_s: z
    .number()
    .gt(0)
    .default(1800)
    .describe(
      'grpo.rollout served and vllm_server: how long a step, or the start, waits for servers that are away before the stage fails, resumable.',
    ),
});
