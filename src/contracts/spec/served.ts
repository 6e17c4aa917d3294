import { z } from 'zod';
import { chatTemplateKwargs, extraBody } from './model.ts';
import { SamplingSpec } from './sampling.ts';
import { ServeSpec } from './serve.ts';

/** How the model of a grading role is served and asked: fields that the sections of the three roles share. Each section has its own values. */
export const servedFields = {
  serve: ServeSpec.prefault({}),
  sampling: SamplingSpec.prefault({}),
  chat_template_kwargs: chatTemplateKwargs(),
  extra_body: extraBody(),
  concurrency: z.int().min(1).max(4096).default(64).describe('Grading calls in flight at once.'),
  timeout_s: z.number().gt(0).default(120).describe('One call to the model, seconds.'),
  outage_limit_s: z
    .number()
    .gt(0)
    .default(1800)
    .describe('How long grading waits for a model that is away before the stage fails, resumable.'),
};
