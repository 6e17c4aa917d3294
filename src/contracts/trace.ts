import { z } from 'zod';
import { GradingMode } from './mode.ts';
import { PairOrder, verdictFields } from './verdict.ts';

/** One grading call kept whole, the request that asks for it, and the verdict that answers it. */

export const StageName = z.enum(['grpo', 'sft', 'audit', 'serve']);
export const GradingRole = z.enum(['judge', 'grader', 'base']);
/** A model behind a URL that gavel may start: one that grades, or the policy whose completions are graded. */
export const ServedRole = z.enum([...GradingRole.options, 'policy']);

/** Fields in which strings were broken up that a tokenizer would turn into control tokens. */
export const Altered = z.array(z.enum(['prompt', 'completion', 'opponent', 'ground_truth']));

const occasion = String.raw`(grpo:\d+:\d+:\d+(-vs-\d+)?|audit:[^:]+|retest:[^:]+:\d+|call:[^:]+)`;

/** What a subject is judged for: a rollout of GRPO, alone or against another of its group, an audit row, the n-th retest of one, or a call of a user. */
export const Occasion = z.string().regex(new RegExp(`^${occasion}$`));

/** An occasion, the order of a pair, and the number of the panel's vote. */
export const VoteOccasion = z.string().regex(new RegExp(`^${occasion}(:(${PairOrder.options.join('|')}))?:\\d+$`));

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
  opponent: z
    .string()
    .nullable()
    .default(null)
    .describe('The completion that it is compared with, for mode pairwise; null for all others.'),
  ground_truth: z
    .string()
    .nullable()
    .default(null)
    .describe('Kept beside the trace; sent only if the rubric is reference-guided.'),
});

/** One verdict, which the votes of the role's panel make together. */
export const Grade = z.strictObject({
  trace_keys: z
    .array(z.string().regex(/^[0-9a-f]{64}$/))
    .describe('One a vote, in order, of a pair first those of order ab; every one is in the ledger.'),
  ...verdictFields,
  reasoning: z.string().nullable().describe('Reasoning of the first vote that counts.'),
  replayed: z.boolean().describe('true: answered from the ledger, nothing was paid.'),
  latency_ms: z.number().min(0).describe('Latency of the slowest vote.'),
});

export const Trace = z.strictObject({
  key: z.string().regex(/^[0-9a-f]{64}$/),
  occasion: VoteOccasion,
  run: z.string(),
  stage: StageName,
  role: GradingRole,
  mode: GradingMode,
  model: z.string(),
  model_digest: z.string().nullable(),
  endpoint: z
    .string()
    .nullable()
    .default(null)
    .describe('URL of a server that gavel does not move and whose weights no digest names; null: not in the key.'),
  rubric_digest: z.string().nullable(),
  prompt: z.string(),
  completion: z.string(),
  opponent: z.string().optional().describe('Of a pair, the other completion; else absent.'),
  ground_truth: z.string().nullable(),
  messages: z.array(Message),
  altered: Altered.describe('Fields whose control strings were broken up in `messages`; they stand here as they came.'),
  answer_prefix: z.string().nullable().describe('What the answer was made to begin with; `reply` goes on from it.'),
  reply: z.string(),
  thinking: z
    .string()
    .nullable()
    .describe('What the server returned as thinking, apart from the reply; null: nothing. A grader learns both.'),
  reasoning: z.string().nullable(),
  ...verdictFields,
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
export type ServedRole = z.output<typeof ServedRole>;
export type GradeRequest = z.output<typeof GradeRequest>;
export type Grade = z.output<typeof Grade>;
export type Trace = z.output<typeof Trace>;
export type Altered = z.output<typeof Altered>;
export type Message = z.output<typeof Message>;
