import { z } from 'zod';
import type { Trace } from '../contracts/trace.ts';
import type { Reply } from '../judging/reply.ts';
import { Garbage } from './upstream-errors.ts';

/**
 * What gavel reads of a chat completion, checked where it arrives. Fields that gavel does not read may be anything. What many servers
 * send otherwise than OpenAI says is accepted: text as a list of parts, no log-probabilities, no counts of tokens.
 */

const TextPart = z.object({ type: z.literal('text'), text: z.string() }).transform(({ text }) => text);

/** Text as one string or as parts, which are joined; absent and null are empty. */
export const Content = z
  .union([z.string(), z.array(TextPart).transform((parts) => parts.join(''))])
  .nullish()
  .transform((text) => text ?? '');

const OptionalText = z
  .string()
  .nullish()
  .transform((text) => text ?? null);

/** vLLM renamed `reasoning_content`; other servers have kept the old name. */
export const Thinking = { reasoning_content: OptionalText, reasoning: OptionalText };

const Tokens = z.int().min(0).nullish();

/** Tokens of a call; null where one of both counts is absent. */
export const UsageOfCall = z
  .object({ prompt_tokens: Tokens, completion_tokens: Tokens })
  .nullish()
  .transform((usage): Trace['usage'] => {
    const { prompt_tokens, completion_tokens } = usage ?? {};
    return prompt_tokens == null || completion_tokens == null ? null : { prompt_tokens, completion_tokens };
  });

/** JSON has no -Infinity, which servers therefore send as null: a probability of 0. */
const Logprob = z
  .number()
  .nullable()
  .transform((logprob) => logprob ?? Number.NEGATIVE_INFINITY);
const Likely = z.object({ token: z.string(), logprob: Logprob });

const isLikely = (one: unknown): one is z.input<typeof Likely> => {
  const { token, logprob } = (one ?? {}) as Record<string, unknown>;
  return typeof token === 'string' && (typeof logprob === 'number' || logprob === null);
};

/** Twenty for each token of each reply: checked by a loop, since schemas of them take longer than all else that a verdict needs. */
const Tops = z.unknown().transform((tops, context): z.output<typeof Likely>[] => {
  const list = tops ?? [];
  const odd = Array.isArray(list) ? list.findIndex((one) => !isLikely(one)) : 0;
  if (odd >= 0) context.addIssue({ code: 'custom', message: 'Expected a list of tokens with logprobs', path: [odd] });
  // A logprob of null is passed over where digits are read, as -Infinity is.
  return list as z.output<typeof Likely>[];
});

const Position = Likely.extend({ top_logprobs: Tops });

/** An empty list says "none" as null does. */
const Logprobs = z
  .preprocess(
    (logprobs) => (Array.isArray(logprobs) && logprobs.length === 0 ? null : logprobs),
    z.object({ content: z.array(Position).nullish() }).nullish(),
  )
  .transform((logprobs) => logprobs?.content ?? null);

export const FinishReason = z
  .string()
  .nullish()
  .transform((reason) => reason ?? null);

const ChatCompletion = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: Content, ...Thinking, refusal: OptionalText }),
        finish_reason: FinishReason,
        logprobs: Logprobs,
      }),
    )
    .min(1),
  usage: UsageOfCall,
});
export type ChatCompletion = z.output<typeof ChatCompletion>;

/** The parts of a chat completion that gavel reads. Throws Garbage that names the first field that does not fit. */
export function parseCompletion(body: unknown): ChatCompletion {
  const parsed = ChatCompletion.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join('.') || 'body';
  const got = JSON.stringify(body)?.slice(0, 120);
  throw new Garbage(`Expected a chat completion; ${field}: ${issue?.message}; got ${got}`);
}

/**
 * The first choice of a completion as a reply. UTF-16 that is no text (half of an emoji) cannot be written as UTF-8: every later reader
 * of its trace would fail.
 */
export function replyOf({ choices }: ChatCompletion, forced: boolean): Reply {
  const { message, finish_reason, logprobs } = choices[0] as ChatCompletion['choices'][number];
  return {
    content: message.content.toWellFormed(),
    reasoning_content: (message.reasoning_content ?? message.reasoning)?.toWellFormed() ?? null,
    refusal: message.refusal?.toWellFormed() ?? null,
    finish_reason,
    forced,
    logprobs,
  };
}
