import { z } from 'zod';
import { baseUrl } from '../base-url.ts';
import { GradingMode } from '../mode.ts';
import { modelName, revision } from './model.ts';
import { servedFields } from './served.ts';

/** The votes that make one verdict, and how they are combined. */
export const PanelSpec = z.strictObject({
  votes: z.int().min(1).max(16).default(1).describe('Verdicts per completion.'),
  combine: z.enum(['mean', 'median', 'majority']).default('mean').describe('How the votes become one verdict.'),
  confidence_threshold: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('A verdict less confident than this has no score.'),
});

export const JudgeSpec = z.strictObject({
  model: modelName(),
  revision: revision(),
  engine: z
    .enum(['vllm', 'openai'])
    .default('vllm')
    .describe('vllm: gavel serves it; openai: any OpenAI-compatible URL.'),
  base_url: baseUrl().nullable().default(null).describe('engine openai: the URL up to and including /v1.'),
  api_key_env: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/)
    .nullable()
    .default(null)
    .describe(
      "engine openai: name of the worker's environment variable that holds the key. The worker's GAVEL_KEYS must bind it to the host of base_url.",
    ),
  rubric: z.string().min(1).describe('Rubric file (YAML).'),
  mode: GradingMode.default('reasoned').describe(
    'reasoned: reasoning, then the score; single_token: one digit; choice: a label; pairwise: which of two completions of a group is better.',
  ),
  panel: PanelSpec.prefault({}),
  ...servedFields,
});

export type JudgeSpec = z.output<typeof JudgeSpec>;
export type PanelSpec = z.output<typeof PanelSpec>;
