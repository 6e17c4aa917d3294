import { z } from 'zod';

/** What is graded and what each score 0-9 means; YAML for people, rubric.json in a run directory. */

export const MessageTemplate = z.strictObject({
  role: z.enum(['system', 'user']),
  content: z
    .string()
    .describe(
      'Text with {{prompt}}, {{completion}}, {{frame}}, {{scores}}, {{labels}} and, if reference-guided, {{ground_truth}}. Mode pairwise has {{completion_a}} and {{completion_b}} in place of {{completion}}.',
    ),
});

export const ModeTemplate = z.strictObject({
  messages: z.array(MessageTemplate).min(1),
  answer_prefix: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('Beginning of the answer, for example "Score: ", where the engine can continue a message.'),
});

const Word = z
  .string()
  .regex(
    /^(?![0-9]$)[^\s.!]+$/,
    'Expected a word without spaces, "." and "!", and no digit: digits are asked for bare',
  );

/** How two completions are compared. The judge is asked about each pair in both orders. */
export const PairTemplate = ModeTemplate.extend({
  first: Word.default('A').describe('The answer that says that {{completion_a}} is better, which is shown first.'),
  second: Word.default('B').describe('The answer that says that {{completion_b}} is better.'),
  tie: Word.nullable().default('C').describe('The answer that says that neither is; null: the judge must prefer one.'),
});

export const Label = z.strictObject({
  label: z
    .string()
    .regex(
      /^(?![0-9]$)[^\s.!]+$/,
      'Expected a word without spaces, "." and "!", and no digit: for digits there is single_token',
    )
    .describe('What the model answers. One token in its vocabulary, or no probabilities are known.'),
  score: z.int().min(0).max(9).describe('The score that the label stands for.'),
  meaning: z.string().default('').describe('What {{labels}} says of it.'),
});

export const RubricExample = z.strictObject({
  prompt: z.string(),
  completion: z.string(),
  ground_truth: z.string().optional().describe('Where the rubric is reference-guided, and only there.'),
  score: z
    .int()
    .min(0)
    .max(9)
    .describe('What it should be given. A mode whose reply is one answer shows the answer that gives this score.'),
  reasoning: z.string().describe('The whole reply of a mode that reasons; it ends in the score, as in "Score: 7".'),
});

export const Rubric = z.strictObject({
  name: z.string().min(1),
  description: z.string().default(''),
  reference_guided: z
    .boolean()
    .default(false)
    .describe('true: the judge is shown the ground truth, and the report says so.'),
  scores: z.record(z.string().regex(/^[0-9]$/), z.string()).describe('Meaning of each score, 0 to 9.'),
  labels: z
    .array(Label)
    .min(2)
    .max(10)
    .optional()
    .describe('Answers of mode choice, each with a score of its own, at least one on each side of the threshold.'),
  examples: z
    .array(RubricExample)
    .min(1)
    .optional()
    .describe('Judged completions that each question shows before its own, as earlier turns, in this order.'),
  frame: z
    .enum(['digest', 'none'])
    .default('digest')
    .describe(
      'digest: {{completion}} stands between two lines marked with digits of a digest of all texts shown, which {{frame}} names, so that it cannot end its frame; none: as it is, where the model cannot spell digits of a digest.',
    ),
  threshold: z.int().min(1).max(9).default(5).describe('A score at or above this says that the completion passes.'),
  max_off_scale_mass: z
    .number()
    .min(0)
    .lt(1)
    .default(0.5)
    .describe('Probability outside the ten digits above which a verdict is off_scale and has no score.'),
  modes: z.strictObject({
    reasoned: ModeTemplate.describe('The reply reasons, then ends in "Score: N".'),
    single_token: ModeTemplate.describe('The reply is one digit.'),
    choice: ModeTemplate.optional().describe('The reply is one of `labels`.'),
    pairwise: PairTemplate.optional().describe('The reply says which of two completions is better.'),
  }),
});

export type ModeTemplate = z.output<typeof ModeTemplate>;
export type PairTemplate = z.output<typeof PairTemplate>;
export type RubricExample = z.output<typeof RubricExample>;
export type Rubric = z.output<typeof Rubric>;
