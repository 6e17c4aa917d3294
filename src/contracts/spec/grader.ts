import { z } from 'zod';
import { concurrency, outageLimitS, timeoutS } from './calls.ts';
import { chatTemplateKwargs, extraBody } from './model.ts';
import { SamplingSpec } from './sampling.ts';
import { ServeSpec } from './serve.ts';

/** The grader has no model of its own: SFT makes it from `base`. */
export const GraderSpec = z.strictObject({
  serve: ServeSpec.prefault({}),
  sampling: SamplingSpec.prefault({}),
  chat_template_kwargs: chatTemplateKwargs(),
  extra_body: extraBody(),
  concurrency: concurrency(),
  timeout_s: timeoutS(),
  outage_limit_s: outageLimitS(),
});

export type GraderSpec = z.output<typeof GraderSpec>;
