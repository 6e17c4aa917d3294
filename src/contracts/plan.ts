import { z } from 'zod';
import { LimitsSpec } from './spec/limits.ts';
import { PlacementSpec } from './spec/placement.ts';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * What the workflows of a run need to know to place, bound and name its work. The spec itself is in the run directory; every
 * activity reads it there and holds it against the digest.
 */
export const Plan = z.strictObject({
  spec_digest: Sha256,
  rubric_digest: Sha256,
  limits: LimitsSpec,
  placement: PlacementSpec,
  serves_judge: z.boolean().describe('false: the judge is at a URL, and nothing is started for it.'),
  policy_servers: z
    .array(z.string())
    .describe('Names of the servers that sample rollouts; none where the trainer samples itself.'),
  pushes_weights: z.boolean().describe('The trainer pushes all weights into these servers at each step.'),
  audits_base: z.boolean().describe('Whether the audit grades with the untrained base too.'),
  models: z
    .strictObject({ policy: z.string(), judge: z.string(), grader: z.string(), base: z.string() })
    .describe('Shown to people.'),
  summaries: z
    .strictObject({ run: z.string(), grpo: z.string(), sft: z.string(), audit: z.string() })
    .describe('One line each, shown to people.'),
});

export type Plan = z.output<typeof Plan>;
