import { z } from 'zod';
import { GradingMode } from './mode.ts';
import { Rubric } from './rubric.ts';
import { AuditSpec, GateSpec } from './spec/audit.ts';
import { verdictFields } from './verdict.ts';

/** `audit.json`: the two questions of an audit, answered apart, each figure with its n and interval. */

export const Measure = z.strictObject({
  point: z.number().nullable().describe('null: it cannot be computed from these rows (say, no wrong verdicts).'),
  low: z.number().nullable(),
  high: z.number().nullable(),
  n: z.int().min(0).describe('Rows that it is computed from.'),
});

/** A row given to an audit. */
export const AuditRow = z.strictObject({
  id: z.string().regex(/^[^:]+$/),
  prompt_id: z.string(),
  prompt: z.string(),
  completion: z.string(),
  ground_truth: z.string().nullable().default(null),
  is_correct: z.boolean().nullable().default(null),
  source: z.string().describe('Where the completion comes from, for example step-000060.'),
});

/** One verdict about one audit row, a line of <stage>/verdicts-<role>-<mode>.jsonl. */
export const VerdictRow = z.strictObject({
  row_id: z.string(),
  trace_keys: z.array(z.string()),
  ...verdictFields,
  replayed: z.boolean(),
  latency_ms: z.number().min(0),
});

/** `OUT/request.json` of an audit of any endpoint, whether or not gavel trained it. */
export const ExternalAuditRequest = z.strictObject({
  run: z.string().describe('Name that the audit is kept under.'),
  rows: z.string().describe('Path of a JSONL file of ExternalAuditRow, absolute or under the folder of this request.'),
  gateway_url: z.url().describe('Base URL of the gateway, without /v1. Its key is in GAVEL_API_KEY.'),
  modes: z.array(GradingMode).min(1).max(2).default(['single_token']),
  headline_mode: GradingMode.nullable().default(null).describe('null: the first of modes.'),
  judge_mode: GradingMode.nullable().default(null).describe('null: no judge, and so no fidelity.'),
  base: z.boolean().default(false).describe('The gateway has a role base to compare with.'),
  reference_guided: z.boolean().default(false),
  threshold: Rubric.shape.threshold,
  bootstrap_samples: AuditSpec.shape.bootstrap_samples,
  confidence: AuditSpec.shape.confidence,
  gates: AuditSpec.shape.gates,
  seed: z.int().min(0).default(0),
});

/** A row that a user brings. Rows with the same prompt text belong together, whatever their ids. */
export const ExternalAuditRow = z.strictObject({
  id: z.string().regex(/^[^:]+$/),
  prompt: z.string().min(1),
  completion: z.string(),
  ground_truth: z.string().nullable().default(null),
  is_correct: z.boolean().nullable().default(null),
  source: z.string().nullable().default(null),
});

/** What one grading pass over the rows cost. */
export const GradingPass = z.strictObject({
  role: z.enum(['judge', 'grader', 'base']),
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
  asked: z.int().min(0).describe('Rows that the model was asked about; the rest came from the ledger.'),
  seconds: z.number().min(0).describe('Wall time of the rows that were asked.'),
  verdicts_per_s: z.number().min(0).nullable(),
  prompt_tokens: z.int().min(0),
  completion_tokens: z.int().min(0),
});

/** How far two roles agree: kappa, exact and within 1 by their scores, the rest by their values. */
export const Agreement = z.strictObject({
  quadratic_weighted_kappa: Measure,
  exact: Measure,
  within_1: Measure,
  mean_absolute_error: Measure.describe("Mean distance from the judge's value."),
  bias: Measure.describe("Mean of value minus the judge's value: above 0 it is more lenient than the judge."),
});

export const Fidelity = z.strictObject({
  ...Agreement.shape,
  confusion: z.array(z.array(z.int()).length(10)).length(10).describe('Rows: judge score; columns: grader score.'),
});

export const TruthOf = z.strictObject({
  balanced_accuracy: Measure,
  accuracy: Measure,
  true_positive_rate: Measure,
  true_negative_rate: Measure,
});

export const GateResult = z.strictObject({
  ...GateSpec.shape,
  value: Measure,
  verdict: z.enum(['PASS', 'FAIL', 'INCONCLUSIVE']),
  rows_needed: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('INCONCLUSIVE: about how many more rows would settle it; null where no number can be given.'),
});

export const Audit = z.strictObject({
  version: z.literal(1),
  run: z.string(),
  created_at: z.string(),
  rows: z.int().min(0),
  prompts: z.int().min(0),
  excluded_rows: z.int().min(0).describe('Rows left out because their prompt is in the training traces.'),
  headline_mode: GradingMode,
  reference_guided: z.boolean(),
  threshold: z
    .number()
    .describe(
      'The rubric\'s: a verdict says "right" where a score at or above this has more than half of the probability.',
    ),
  confidence: z.number(),
  bootstrap_samples: z.int(),
  interval_method: z.string().default('').describe('How the intervals were made, in words.'),
  fidelity: Fidelity.nullable().describe('null: there are no verdicts of a judge to compare with.'),
  fidelity_by_mode: z.record(z.string(), Agreement),
  base_fidelity: Agreement.nullable(),
  truth: z
    .strictObject({
      n_right: z.int().min(0),
      n_wrong: z.int().min(0),
      judge: TruthOf.nullable(),
      grader: TruthOf,
      base: TruthOf.nullable(),
      grader_minus_judge: z.strictObject({ balanced_accuracy: Measure }).nullable(),
    })
    .nullable(),
  teacher_wrong: z
    .strictObject({
      rows: z.int().min(0),
      grader_follows_truth: Measure.describe('P(grader right, given judge wrong).'),
      grader_wrong_given_judge_right: Measure,
    })
    .nullable(),
  coverage: z.strictObject({
    grader: Measure.describe('Share of rows that the grader scored.'),
    judge: Measure.nullable(),
    counts: z.record(z.string(), z.record(z.string(), z.int())).describe('Role, then verdict kind, then rows.'),
    value_rules: z
      .record(z.string(), z.record(z.string(), z.int()))
      .describe('Role, then the rule that made the value of its scored verdicts, then rows.'),
  }),
  judge_scores: z.array(z.int()).length(10).describe('How often the judge gave each score.'),
  passes: z.array(GradingPass),
  speed: z.strictObject({
    grader_over_judge: z.number().nullable().describe('Verdicts per second, each in the mode it is used in.'),
    same_mode: z.number().nullable().describe("Verdicts per second, both in the judge's mode."),
  }),
  policy: z.strictObject({
    first: Measure.nullable(),
    last: Measure.nullable(),
    gain: Measure.nullable().describe('Verifier accuracy on held-out prompts, last checkpoint minus first.'),
  }),
  gates: z.array(GateResult),
  verdict: z.enum(['PASS', 'FAIL', 'INCONCLUSIVE']),
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
export type Measure = z.output<typeof Measure>;
