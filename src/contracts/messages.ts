import { z } from 'zod';
import { GradingMode } from './mode.ts';
import { Message } from './trace.ts';

/** What a mode asks with, for those who train on it: only the gateway renders a rubric. */

/** Body of POST /v1/messages. */
export const MessagesRequest = z.strictObject({
  mode: GradingMode,
  prompt: z.string(),
  completion: z.string(),
  ground_truth: z
    .string()
    .nullable()
    .default(null)
    .describe('Shown only if the rubric is reference-guided; then it must be there.'),
});

/** Its answer: the very messages of a grading call in that mode. */
export const RenderedMessages = z.strictObject({
  messages: z.array(Message).min(1),
  answer_prefix: z.string().nullable().describe('What the reply begins with, given and not generated; null: nothing.'),
});

export type MessagesRequest = z.output<typeof MessagesRequest>;
export type RenderedMessages = z.output<typeof RenderedMessages>;
