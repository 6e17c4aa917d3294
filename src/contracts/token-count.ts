import { z } from 'zod';
import { Message } from './trace.ts';

/** What `gavel rubric check` has Python count: tokenizers and chat templates are those that the model servers use. */

export const TokenCountRequest = z.strictObject({
  tokenizer: z.string().describe('Model folder.'),
  chats: z.array(
    z.strictObject({
      messages: z.array(Message).min(1),
      answer_prefix: z.string().nullable().describe('What the answer begins with; null: nothing.'),
    }),
  ),
  texts: z.array(z.string()),
});

export const TokenCounts = z.strictObject({
  chats: z
    .array(
      z.strictObject({
        contents: z.array(z.int()).describe('Tokens of the content of each message.'),
        total: z.int().nullable().describe('Tokens of the chat as its template renders it; null: `problem` says why.'),
        problem: z.string().nullable().describe('Why the template renders no such chat; null: it does.'),
      }),
    )
    .describe('In the order of the request.'),
  texts: z.array(z.array(z.int())).describe('Ids of the tokens of each text, without special ones.'),
});

export type TokenCountRequest = z.output<typeof TokenCountRequest>;
export type TokenCounts = z.output<typeof TokenCounts>;
