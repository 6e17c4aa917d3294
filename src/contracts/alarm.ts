import { z } from 'zod';

/** What a trainer says of a training that runs but is going wrong. */

export const AlarmName = z
  .enum(['sampler_drift'])
  .describe("sampler_drift: the log-probabilities of the servers that sample are far from the trainer's.");

/** One line of report/alarms.jsonl, and the argument of the signal `alarm`. */
export const Alarm = z.strictObject({
  at: z.string(),
  stage: z.string(),
  epoch: z.int().min(1),
  step: z.int().min(0),
  alarm: AlarmName,
  message: z.string().describe('What was seen, by which rule it is an alarm, and what to do.'),
});

export type Alarm = z.output<typeof Alarm>;
