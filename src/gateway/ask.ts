import { BadRequestError } from 'openai';
import type { ChatCompletionCreateParamsNonStreaming } from 'openai/resources/chat/completions';
import type { Message, Trace } from '../contracts/trace.ts';
import type { Reply } from '../judging/reply.ts';
import { type ChatCompletion, parseCompletion, replyOf } from './chat-completion.ts';
import { choiceTokens } from './choice-tokens.ts';
import { requestOf, type Settings } from './settings.ts';
import type { Live, Upstream } from './upstream.ts';

/** As many as OpenAI and vLLM give by default: enough to hold all ten digits where a digit is likely at all. */
const TOP_LOGPROBS = 20;

export interface Answer {
  reply: Reply;
  usage: Trace['usage'];
  latency_ms: number;
}

/**
 * Asks a model for one grading reply. Waits through outages; throws what Upstream.call throws. `probe` gives the messages about a harmless
 * subject, asked under the same settings: a judge that rejects the rubric's roles, or a setting, rejects these too.
 */
export async function ask(
  upstream: Upstream,
  { messages, probe }: { messages: Message[]; probe: () => Message[] },
  settings: Settings,
): Promise<Answer> {
  const asking = (messages: Message[]) => async (live: Live, signal: AbortSignal) => {
    const allowed = settings.choices && (await choiceTokens(live.endpoint, settings.choices, signal));
    const body = { ...requestOf(settings, messages), model: live.endpoint.model };
    const sent = { ...body, ...(allowed && { allowed_token_ids: allowed, max_tokens: 1 }) } as unknown as Body;
    return { completion: await send(live, sent, signal), forced: allowed !== null };
  };
  const { value, latency_ms } = await upstream.call(settings.max_tokens, asking(messages), (...given) =>
    asking(probe())(...given),
  );
  const { completion, forced } = value;
  const { usage } = completion;
  upstream.stats.asked++;
  upstream.stats.prompt_tokens += usage?.prompt_tokens ?? 0;
  upstream.stats.completion_tokens += usage?.completion_tokens ?? 0;
  return { reply: replyOf(completion, forced), usage, latency_ms };
}

type Body = ChatCompletionCreateParamsNonStreaming;

/** Servers that said no to log-probabilities; their verdicts have no distribution, and no score where the digit was forced. */
const without_logprobs = new Set<string>();

async function send(live: Live, body: Body, signal: AbortSignal): Promise<ChatCompletion> {
  const { client, endpoint } = live;
  const server = `${endpoint.base_url} ${endpoint.model}`;
  const full = { ...body, logprobs: true, top_logprobs: TOP_LOGPROBS };
  let completion: unknown;
  try {
    completion = await client.chat.completions.create(without_logprobs.has(server) ? body : full, { signal });
  } catch (error) {
    if (!(error instanceof BadRequestError) || !/logprobs/i.test(error.message) || without_logprobs.has(server))
      throw error;
    completion = await client.chat.completions.create(body, { signal });
    without_logprobs.add(server);
  }
  return parseCompletion(completion);
}
