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
      'How long grpo.rollout served waits at any step for servers that are away, and vllm_server at the start of an attempt, before the stage fails, resumable. A vLLM that is being started counts as away.',
    ),
});
