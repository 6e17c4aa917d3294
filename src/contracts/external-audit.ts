import { z } from 'zod';
import { Contestant } from './audit.ts';
import { Rubric } from './rubric.ts';
import { AuditSpec } from './spec/audit.ts';
import { Distribution, PairLabel } from './verdict.ts';

/** What a person brings to an audit of any endpoint or file of verdicts: its request, rows and verdicts. */

/** `OUT/request.json` of an audit of any endpoint or file of verdicts, whether or not gavel trained it. */
export const ExternalAuditRequest = z.strictObject({
  run: z.string().describe('Name that the audit is kept under.'),
  rows: z.string().describe('Path of a JSONL file of ExternalAuditRow, absolute or under the folder of this request.'),
  rows_counted: z
    .strictObject({ count: z.int().min(0), sha256: z.string() })
    .nullable()
    .default(null)
    .describe('Rows whose calls were counted and allowed, and sha256 of their file; null: no model is asked.'),
  max_rows: z.int().min(1).nullable().default(null).describe('First rows of the file that are audited; null: all.'),
  gateway_url: z
    .url()
    .nullable()
    .default(null)
    .describe('Base URL of the gateway, without /v1, whose key is in GAVEL_API_KEY; null: all contestants are files.'),
  contestants: z.array(Contestant).min(1),
  headline_mode: Contestant.shape.mode.nullable().default(null).describe("null: the grader's first mode."),
  reference_guided: z.boolean().default(false),
  threshold: Rubric.shape.threshold,
  confidence: AuditSpec.shape.confidence,
  slices: AuditSpec.shape.slices,
  gates: AuditSpec.shape.gates,
  looks: z.string().describe('Path of the file that counts the looks at each set of rows.'),
});

/** Half of a UTF-16 pair, which JSON can spell, cannot be sent or stored as UTF-8. */
const Text = z
  .string()
  .refine((text) => text.isWellFormed(), 'Expected text, got an escape such as \\ud83d without its other half');

/**
 * A row that a user brings. Rows with the same prompt text belong together, whatever their ids. Case and white
 * space are evened out: "print(A)" and "print(a)" are one prompt.
 */
export const ExternalAuditRow = z.strictObject({
  id: Text.regex(/^[^:]+$/),
  prompt: Text.min(1),
  completion: Text.nullable().default(null).describe('null: the row is a pair.'),
  completion_a: Text.nullable().default(null),
  completion_b: Text.nullable().default(null),
  ground_truth: Text.nullable().default(null),
  is_correct: z.boolean().nullable().default(null),
  preference: PairLabel.nullable().default(null),
  source: Text.nullable().default(null),
  fields: z
    .record(Text, z.union([Text, z.number(), z.boolean()]))
    .default({})
    .describe('What the rows can be sliced by, say {"kind": "algebra"}.'),
});

/**
 * A line of a file of verdicts that a user brings: all of a file have scores or distributions, or labels alone. A line
 * with the row_id alone is a verdict without a score, `unparseable`.
 */
export const FileVerdict = z.strictObject({
  row_id: z.string(),
  score: z.int().min(0).max(9).nullable().default(null),
  label: z
    .enum(['pass', 'fail', 'A', 'B', 'tie'])
    .nullable()
    .default(null)
    .describe('pass or fail for a completion; A, B or tie for a pair.'),
  distribution: Distribution.nullable().default(null).describe('Probabilities of the scores 0 to 9; they add up to 1.'),
});

export type ExternalAuditRequest = z.output<typeof ExternalAuditRequest>;
