import { z } from 'zod';
import { concurrency, outageLimitS, timeoutS } from './calls.ts';
import { chatTemplateKwargs, extraBody, modelName, revision } from './model.ts';
import { SamplingSpec } from './sampling.ts';
import { ServeSpec } from './serve.ts';

export const BaseSpec = z.strictObject({
  model: modelName(),
  revision: revision(),
  serve: ServeSpec.prefault({}),
  sampling: SamplingSpec.prefault({}),
  chat_template_kwargs: chatTemplateKwargs(),
  extra_body: extraBody(),
  concurrency: concurrency(),
  timeout_s: timeoutS(),
  outage_limit_s: outageLimitS(),
});

export type BaseSpec = z.output<typeof BaseSpec>;
