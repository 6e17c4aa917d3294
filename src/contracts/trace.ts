import { z } from 'zod';
import { GradingMode } from './mode.ts';

/** One grading call kept whole, the request that asks for it, and the verdict that answers it. */

export const StageName = z.enum(['grpo', 'sft', 'audit', 'serve']);
export const GradingRole = z.enum(['judge', 'grader', 'base']);
export const VerdictKind = z.enum(['scored', 'unparseable', 'refused', 'abstained', 'failed']);

/** Reads: a step of GRPO, an audit row, a retest, or a call through the served endpoint. */
export const Occasion = z.string().regex(/^(grpo:\d+:\d+:\d+:\d+|audit:[^:]+:\d+|retest:[^:]+:\d+|call:[^:]+)$/);

export const Message = z.strictObject({
  role: z.enum(['system', 'user', 'assistant', 'developer', 'tool']),
  content: z.string(),
});

export const Usage = z.strictObject({
  prompt_tokens: z.int().min(0),
  completion_tokens: z.int().min(0),
});

export const GradeRequest = z.strictObject({
  role: GradingRole.default('judge'),
  mode: GradingMode.nullable().default(null).describe('null: the mode that the role is configured with.'),
  occasion: Occasion,
  prompt: z.string(),
  completion: z.string(),
  ground_truth: z
    .string()
    .nullable()
    .default(null)
    .describe('Kept beside the trace; sent only if the rubric is reference-guided.'),
});

export const Grade = z.strictObject({
  key: z.string().regex(/^[0-9a-f]{64}$/),
  verdict: VerdictKind,
  score: z.int().min(0).max(9).nullable().describe('The digit the model gave; null unless verdict is scored.'),
  expectation: z.number().min(0).max(9).nullable().describe('Mean score under the renormalised digit probabilities.'),
  confidence: z.number().min(0).max(1).nullable().describe('Renormalised probability of the most probable digit.'),
  off_digit_mass: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .describe('Probability outside the ten digits, before renormalising.'),
  reasoning: z.string().nullable(),
  replayed: z.boolean().describe('true: answered from the ledger, nothing was paid.'),
  latency_ms: z.number().min(0),
});

export const Trace = z.strictObject({
  key: z.string().regex(/^[0-9a-f]{64}$/),
  occasion: Occasion,
  run: z.string(),
  stage: StageName,
  role: GradingRole,
  mode: GradingMode,
  model: z.string(),
  model_digest: z.string().nullable(),
  rubric_digest: z.string().nullable(),
  prompt: z.string(),
  completion: z.string(),
  ground_truth: z.string().nullable(),
  messages: z.array(Message),
  reply: z.string(),
  reasoning: z.string().nullable(),
  verdict: VerdictKind,
  score: z.int().min(0).max(9).nullable(),
  expectation: z.number().min(0).max(9).nullable(),
  distribution: z
    .array(z.number().min(0).max(1))
    .length(10)
    .nullable()
    .describe('Renormalised probabilities of scores 0 to 9.'),
  off_digit_mass: z.number().min(0).max(1).nullable(),
  usage: Usage.nullable(),
  latency_ms: z.number().min(0),
  reused_from: z
    .string()
    .nullable()
    .describe('Key of the trace whose reply this one shares; null if the model was asked.'),
  created_at: z.string().describe('ISO 8601, UTC.'),
});

export type StageName = z.output<typeof StageName>;
export type GradingRole = z.output<typeof GradingRole>;
export type VerdictKind = z.output<typeof VerdictKind>;
export type GradeRequest = z.output<typeof GradeRequest>;
export type Grade = z.output<typeof Grade>;
export type Trace = z.output<typeof Trace>;
export type Message = z.output<typeof Message>;
