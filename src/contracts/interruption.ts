import { z } from 'zod';

/** What ends attempts at a stage, and what that cost. */

export const InterruptionCause = z
  .enum(['preempted', 'crashed', 'hung', 'superseded', 'disk_full', 'out_of_memory'])
  .describe(
    'preempted: ended from outside, asked to or not; superseded: another attempt had taken over. The others are errors.',
  );

/** One line of report/interruptions.jsonl: an attempt that ended before its stage was done, or a server that died under it. */
export const Interruption = z.strictObject({
  at: z.string(),
  stage: z.string(),
  epoch: z.int().min(1).nullable().describe('Number of the attempt that ended; null where it went on.'),
  what: z.enum(['worker', 'trainer', 'vllm', 'gateway', 'node']),
  cause: InterruptionCause,
  message: z.string().describe('One redacted line.'),
  steps_lost: z.int().nullable(),
  seconds_to_next_commit: z.number().nullable(),
});

/** What report/interruptions.jsonl adds up to; the argument of the signal `interruptions`. */
export const InterruptionTotals = z.strictObject({
  count: z.int().min(0),
  steps_lost: z.int().min(0),
  by_cause: z.record(z.string(), z.int()),
  latest: z.array(Interruption).describe('The last five, oldest first.'),
});

export type InterruptionCause = z.output<typeof InterruptionCause>;
export type Interruption = z.output<typeof Interruption>;
export type InterruptionTotals = z.output<typeof InterruptionTotals>;
