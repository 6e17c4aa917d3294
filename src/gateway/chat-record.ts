import { randomUUID } from 'node:crypto';
import { createParser } from 'eventsource-parser';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import type { Message, StageName, Trace } from '../contracts/trace.ts';
import type { ChatBody } from './chat.ts';
import { keyOf } from './key.ts';
import type { Ledger } from './ledger.ts';
import type { Upstream } from './upstream.ts';
import { parseReply } from './verdict.ts';

interface Heard {
  content: string;
  finish_reason: string | null;
  usage: Trace['usage'];
}

/** Keeps chat completions as traces. A chat is its own occasion; its verdict is the score in the reply, if there is one. */
export class ChatRecorder {
  readonly #place: { run: string; stage: StageName };
  readonly #ledger: Ledger;
  readonly #upstream: Upstream;

  constructor(place: { run: string; stage: StageName }, ledger: Ledger, upstream: Upstream) {
    this.#place = place;
    this.#ledger = ledger;
    this.#upstream = upstream;
  }

  /** Listens to a response as its bytes pass; `end` returns when the trace is on disk. Of several choices the first is kept. */
  follow(body: ChatBody, who: { model: string; model_digest: string | null }, response: Response) {
    const started = performance.now();
    const heard: Heard = { content: '', finish_reason: null, usage: null };
    const decoder = new TextDecoder();
    const streamed = response.headers.get('content-type')?.includes('text/event-stream') ?? false;
    const parser = createParser({ onEvent: ({ data }) => hear(heard, data) });
    let whole = '';
    return {
      feed: (bytes: Uint8Array): void => {
        const text = decoder.decode(bytes, { stream: true });
        if (streamed) parser.feed(text);
        else whole += text;
      },
      end: async (): Promise<void> => {
        if (!streamed) hear(heard, whole);
        await this.#ledger.append(this.#trace(body, who, heard, performance.now() - started));
      },
    };
  }

  #trace(body: ChatBody, who: { model: string; model_digest: string | null }, heard: Heard, latency_ms: number): Trace {
    const { role, config } = this.#upstream;
    const occasion = `call:${randomUUID()}`;
    const messages = body.messages.map(plainMessage);
    const question = { ...who, rubric_digest: null, mode: config.mode, messages };
    const { messages: _, stream: __, ...sampling } = body;
    const reply = {
      content: heard.content,
      finish_reason: heard.finish_reason,
      reasoning_content: null,
      refusal: null,
    };
    const { confidence: ___, ...judged } = parseReply({ ...reply, logprobs: null }, config.mode);
    const prompt = messages.findLast((message) => message.role === 'user')?.content ?? '';
    return {
      key: keyOf(question, sampling, occasion),
      occasion,
      ...this.#place,
      role,
      ...question,
      prompt,
      completion: '',
      ground_truth: null,
      reply: heard.content,
      ...judged,
      usage: heard.usage,
      latency_ms,
      reused_from: null,
      created_at: new Date().toISOString(),
    };
  }
}

function hear(heard: Heard, data: string): void {
  if (data === '[DONE]') return;
  let chunk: { choices?: Choice[]; usage?: { prompt_tokens: number; completion_tokens: number } | null };
  try {
    chunk = JSON.parse(data);
  } catch {
    return;
  }
  const choice = chunk.choices?.find(({ index }) => (index ?? 0) === 0);
  heard.content += choice?.delta?.content ?? choice?.message?.content ?? '';
  heard.finish_reason = choice?.finish_reason ?? heard.finish_reason;
  const { usage } = chunk;
  if (usage) heard.usage = { prompt_tokens: usage.prompt_tokens, completion_tokens: usage.completion_tokens };
}

interface Choice {
  index?: number;
  delta?: { content?: string | null };
  message?: { content?: string | null };
  finish_reason?: string | null;
}

/** Text parts are joined; pictures, sound and tool calls are not kept. */
function plainMessage({ role, content }: ChatCompletionMessageParam): Message {
  if (typeof content === 'string') return { role: role as Message['role'], content };
  const parts = (content ?? []).map((part) => ('text' in part ? part.text : `[${part.type}]`));
  return { role: role as Message['role'], content: parts.join('\n') };
}
