import { z } from 'zod';
import { GradingMode } from './mode.ts';
import { Message } from './trace.ts';

/** What a mode asks with, for those who train on it: only the gateway renders a rubric. */

/** Body of POST /v1/messages. */
export const MessagesRequest = z.strictObject({
  mode: GradingMode,
  prompt: z.string(),
  completion: z.string().describe('Of a pair, the one that is shown first.'),
  opponent: z.string().nullable().default(null).describe('Of a pair, the one that is shown second; else null.'),
  ground_truth: z
    .string()
    .nullable()
    .default(null)
    .describe('Shown only if the rubric is reference-guided; then it must be there.'),
  score: z
    .int()
    .min(0)
    .max(9)
    .nullable()
    .default(null)
    .describe('The score whose reply is asked for; null: messages alone.'),
  preferred: z
    .enum(['first', 'tie', 'second'])
    .nullable()
    .default(null)
    .describe('Of a pair, the preference whose reply is asked for, by what is shown first; null: messages alone.'),
});

/** Its answer: the very messages of a grading call in that mode, and the reply that gives the score. */
export const RenderedMessages = z.strictObject({
  messages: z.array(Message).min(1),
  answer_prefix: z.string().nullable().describe('What the reply begins with, given and not generated; null: nothing.'),
  reply: z
    .string()
    .nullable()
    .describe('What gives the score, after the prefix; null where none was asked for, or the mode has no such reply.'),
});

export type MessagesRequest = z.output<typeof MessagesRequest>;
export type RenderedMessages = z.output<typeof RenderedMessages>;
