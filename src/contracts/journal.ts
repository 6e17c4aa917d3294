import { z } from 'zod';

/** One completion as a server sampled it, a line of `journal-<rank>-<step>.jsonl` in its epoch: durable before the judge sees it. */
export const JournalEntry = z.strictObject({
  step: z.int().min(1),
  group: z.int().min(0),
  rollout: z.int().min(0),
  prompt_id: z.string(),
  adapter: z.string().describe('Name of the adapter that sampled it, say policy-v000123.e7.'),
  adapter_step: z.int().min(0).describe('Updates that the adapter has had.'),
  adapter_sha256: z.string().regex(/^[0-9a-f]{64}$/),
  token_ids: z.array(z.int().min(0)).min(1).describe('With the token that ended it.'),
  logprobs: z.array(z.number()).min(1).describe('Log-probability of each token where it was sampled, nats.'),
  ended: z.enum(['stop', 'length']),
});

export type JournalEntry = z.output<typeof JournalEntry>;
