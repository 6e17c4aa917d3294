import { z } from 'zod';
import { GradingMode } from './mode.ts';
import { GateSpec } from './spec/audit.ts';
import { PairLabel, verdictFields } from './verdict.ts';

/** `audit.json`: the two questions of an audit, answered apart, each figure a record with its n and interval. */

/** A role in an audit: judge, grader, base, or a name of its own for any other contestant. */
const Role = z.string().regex(/^[a-z][a-z0-9_]*$/);

/** How a contestant was asked: a grading mode, or `file` for verdicts that a file brings. */
const AskedMode = z.string().regex(/^[a-z][a-z0-9_]*$/);

/** One measure of one role in one mode over one slice of the rows. */
export const MeasureRecord = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){3}$/)
    .describe('part.role.mode.measure, say fidelity.grader.single_token.quadratic_weighted_kappa.'),
  slice: z.string().default('all').describe('all, or FIELD=VALUE: the rows that it is computed from.'),
  point: z.number().nullable().describe('null: it cannot be computed from these rows (say, no wrong verdicts).'),
  low: z.number().nullable().describe('null: these rows give no interval; method says why.'),
  high: z.number().nullable(),
  n: z.int().min(0).describe('Rows that it is computed from.'),
  prompts: z.int().min(0).describe('Prompts of these rows: the independent units of its interval.'),
  method: z.string().describe('How the interval was made, or why there is none.'),
});

/** What a measure is, for those who show records: its module in python/gavel_train/audit/measures says it. */
export const MeasureInfo = z.strictObject({
  part: z.string(),
  name: z.string().describe('Last part of the ids of its records.'),
  label: z.string().describe('Name for people.'),
  unit: z
    .enum(['share', 'difference', 'kappa', 'correlation', 'score', 'rate', 'ratio'])
    .describe(
      'share: 0 to 1; difference: of two shares; kappa and correlation: -1 to 1; score: in digits of the 0-9 scale; rate: per second; ratio: times.',
    ),
  meaning: z.string().describe('One sentence.'),
  chance: z.number().nullable().describe('What guessing gets; null: nothing is known or it makes no sense.'),
  chart: z.boolean().describe('Shown as a picture besides its table.'),
});

/** A part of an audit: the question that its measures answer. */
export const PartInfo = z.strictObject({
  part: z.string(),
  question: z.string(),
  meaning: z.string(),
  needs: z.string().describe('What an audit needs to have records of it, said where it has none.'),
});

/** Counts of rows by two things, say the scores of judge and grader. */
export const CountTable = z.strictObject({
  id: MeasureRecord.shape.id,
  label: z.string(),
  row_label: z.string(),
  column_label: z.string(),
  rows: z.array(z.string()),
  columns: z.array(z.string()),
  cells: z.array(z.array(z.int().min(0))),
});

/** What follows from a record, in one sentence that its measure wrote. */
export const Finding = z.strictObject({ id: MeasureRecord.shape.id, text: z.string() });

/** A row given to an audit: one completion, or two for pairwise subjects. */
export const AuditRow = z.strictObject({
  id: z.string().regex(/^[^:]+$/),
  prompt_id: z.string(),
  prompt: z.string(),
  completion: z.string().describe('The completion; of a pair, completion A.'),
  completion_b: z.string().nullable().default(null).describe('Completion B; null: the row has one completion.'),
  ground_truth: z.string().nullable().default(null),
  is_correct: z.boolean().nullable().default(null),
  preference: PairLabel.nullable().default(null).describe('Of a pair: which completion is better, in truth.'),
  source: z.string().describe('Where the completion comes from, for example step-000060.'),
  fields: z.record(z.string(), z.string()).default({}).describe('What the row can be sliced by besides.'),
});

/** One verdict about one audit row, a line of <stage>/verdicts-<role>-<mode>.jsonl. */
export const VerdictRow = z.strictObject({
  row_id: z.string(),
  trace_keys: z.array(z.string()),
  ...verdictFields,
  label: PairLabel.nullable().default(null).describe('Of a pair: the completion that the verdict prefers.'),
  replayed: z.boolean(),
  latency_ms: z.number().min(0),
});

/** One of those whose verdicts an audit compares, in one mode. */
export const Contestant = z.strictObject({
  role: Role,
  mode: AskedMode,
  source: z.enum(['endpoint', 'file']),
  file: z.string().nullable().default(null).describe('Path of a JSON Lines file of FileVerdict; null: an endpoint.'),
  gpus: z.int().min(1).nullable().default(null).describe('GPUs that serve it; null: not known, or none.'),
});

/** A line of the file that counts the looks at sets of audit rows. */
export const LookLine = z.strictObject({
  at: z.string(),
  data_digest: z.string().describe('sha256 of the rows.'),
  asked_digest: z
    .string()
    .describe('sha256 of every verdict of every contestant, and of gates, slices, threshold and confidence.'),
  prompts: z
    .array(z.string())
    .default([])
    .describe('The 256 smallest sha256 of the ids of the prompts, 12 hexadecimal digits of each, in order.'),
  run: z.string(),
});

/** What one grading pass over the rows cost. */
export const GradingPass = z.strictObject({
  role: Role,
  mode: GradingMode,
  model: z.string(),
  model_digest: z
    .string()
    .nullable()
    .default(null)
    .describe(
      'Digest of the weights that answered; null where a server gives none. gavel serve refuses other weights.',
    ),
  rows: z.int().min(0),
  rows_digest: z.string().nullable().default(null).describe('sha256 of the rows with their ids, in order.'),
  traces_digest: z
    .string()
    .nullable()
    .default(null)
    .describe('sha256 of the keys of the traces behind each verdict, in order.'),
  asked: z.int().min(0).describe('Rows that the model was asked about; the rest came from the ledger.'),
  seconds: z.number().min(0).describe('Wall time of the rows that were asked.'),
  verdicts_per_s: z.number().min(0).nullable(),
  gpus: z.int().min(1).nullable().default(null).describe('GPUs that served it; null: not known, or none.'),
  prompt_tokens: z.int().min(0),
  completion_tokens: z.int().min(0),
});

export const AuditVerdict = z.enum(['PASS', 'FAIL', 'INCONCLUSIVE']);

/** One record that a gate matched, and what the gate says of it. */
export const GateMatch = z.strictObject({
  record: MeasureRecord,
  verdict: AuditVerdict,
  reason: z.string().describe('Why, in words.'),
  rows_needed: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      'INCONCLUSIVE: about how many more rows to audit would settle it with 80% power if the point is true; null where no number can be given.',
    ),
});

export const GateResult = z.strictObject({
  ...GateSpec.shape,
  reason: z
    .string()
    .describe('Why, in words; without a match: what was expected and what there is; and what it is also about.'),
  verdict: AuditVerdict.describe(
    'PASS: every match passes, and nothing that it is about lacks a record; FAIL: one match fails; INCONCLUSIVE: else.',
  ),
  matches: z.array(GateMatch),
});

/** A field that the rows are sliced by. */
export const SliceField = z.strictObject({
  field: z.string(),
  values: z.array(z.strictObject({ value: z.string(), rows: z.int().min(0), prompts: z.int().min(0) })),
  left_out: z.string().nullable().default(null).describe('Values without slices of their own, and why; null: none.'),
});

export const Audit = z.strictObject({
  version: z.literal(2),
  run: z.string(),
  request_digest: z
    .string()
    .nullable()
    .default(null)
    .describe('sha256 of the request.json that it answers; null: stage audit of a run.'),
  created_at: z.string(),
  subject: z.enum(['pointwise', 'pairwise']),
  rows: z.int().min(0),
  prompts: z.int().min(0),
  excluded_rows: z.int().min(0).describe('Rows left out because their prompt is in the training traces.'),
  truth_labels: z
    .record(z.string(), z.int().min(0))
    .describe('Rows by their true label (right and wrong, or A, B and tie); empty: no truth is known.'),
  headline_mode: AskedMode.describe('The mode that `headline` in the id of a gate stands for.'),
  reference_guided: z.boolean(),
  threshold: z
    .number()
    .describe(
      'The rubric\'s: a verdict says "right" where a score at or above this has more than half of the probability.',
    ),
  confidence: z.number().describe('Level of every interval; above the one asked for from the second look on.'),
  look: z.strictObject({
    number: z.int().min(1).describe('This audit is the n-th look at these rows, or at others with the same prompts.'),
    data_digest: z.string(),
    asked_confidence: z.number(),
  }),
  contestants: z.array(z.strictObject({ ...Contestant.shape, model: z.string().nullable() })),
  parts: z.array(PartInfo),
  measures: z.array(MeasureInfo),
  records: z.array(MeasureRecord),
  tables: z.array(CountTable),
  findings: z.array(Finding),
  slices: z.array(SliceField),
  passes: z.array(GradingPass),
  gates: z.array(GateResult),
  verdict: AuditVerdict.describe('PASS: every gate passes, and at least one of them is about the grader.'),
  covers: z
    .array(z.string())
    .describe('Parts in which a cleared gate is about the grader: the verdict says nothing of the others.'),
});

/** A line of report/overrides.jsonl: one start of `gavel serve --override-audit`. */
export const AuditOverride = z.strictObject({
  at: z.string(),
  node: z.string(),
  reason: z.string().describe('What the audit says against it.'),
  model_digest: z.string(),
});

export type AuditOverride = z.output<typeof AuditOverride>;
export type Audit = z.output<typeof Audit>;
export type AuditRow = z.output<typeof AuditRow>;
export type Contestant = z.output<typeof Contestant>;
export type CountTable = z.output<typeof CountTable>;
export type GateResult = z.output<typeof GateResult>;
export type MeasureInfo = z.output<typeof MeasureInfo>;
export type MeasureRecord = z.output<typeof MeasureRecord>;
