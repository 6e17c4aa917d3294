import { z } from 'zod';
import { AuditSpec, GateSpec } from './spec/audit.ts';

/** What `gavel audit plan` asks gavel_train.audit.plan, and its answer. */

/** A JSON file that is named on the command line of gavel_train.audit.plan. */
export const AuditPlanRequest = z.strictObject({
  gates: z.array(GateSpec).min(1),
  expect: z.record(z.string(), z.number()).describe('What each gate is expected to measure, by the id of the gate.'),
  rows_per_prompt: z.number().min(1).describe('Mean rows of one prompt.'),
  correlation: z
    .number()
    .min(0)
    .max(1)
    .default(0.25)
    .describe(
      'How alike two rows of one prompt are (intra-cluster correlation). 0.24 is that of PandaLM-7B being right, on the test set of PandaLM.',
    ),
  pilot: z
    .string()
    .nullable()
    .default(null)
    .describe('Path of the audit.json of an earlier audit, whose intervals say how much rows vary; null: none.'),
  power: z.number().gt(0).lt(1).describe('Wanted probability that a gate passes where the expected value is true.'),
  confidence: AuditSpec.shape.confidence,
});

/** How much one gate needs. */
export const AuditPlanGate = z.strictObject({
  ...GateSpec.shape,
  expected: z.number(),
  rows: z.int().min(1).nullable().describe('null: no number of rows gives the gate that power; note says why.'),
  prompts: z.int().min(1).nullable(),
  note: z.string().nullable().default(null).describe('What the numbers rest on, or why there are none; null: nothing.'),
});

/** One JSON object on standard output. */
export const AuditPlan = z.strictObject({
  gates: z.array(AuditPlanGate),
  rows: z.int().min(1).nullable().describe('Rows that are enough for every gate; null: no number is.'),
  prompts: z.int().min(1).nullable(),
});

export type AuditPlanRequest = z.output<typeof AuditPlanRequest>;
export type AuditPlan = z.output<typeof AuditPlan>;
