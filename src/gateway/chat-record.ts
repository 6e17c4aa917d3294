import { randomUUID } from 'node:crypto';
import { createParser } from 'eventsource-parser';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { z } from 'zod';
import type { Message, StageName, Trace } from '../contracts/trace.ts';
import { readReply } from '../judging/read-reply.ts';
import type { Scale } from '../judging/value.ts';
import { type Identity, keyOf } from '../ledger/key.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { ChatBody } from './chat-body.ts';
import { Content, FinishReason, Thinking, UsageOfCall } from './chat-completion.ts';
import type { Upstream } from './upstream.ts';

interface Heard {
  content: string;
  thinking: string;
  finish_reason: string | null;
  usage: Trace['usage'];
}

/** Hears a response as its bytes pass. */
export interface Listener {
  /** true once the answer is complete: clients stop reading at its last event, so it must not go out before `end` returns. */
  feed(bytes: Uint8Array): boolean;
  /** Returns when the trace is on disk; a second call does nothing more. */
  end(): Promise<void>;
}

/** Keeps chat completions as traces. A chat is its own occasion; its verdict is the score in the reply, if there is one. */
export class ChatRecorder {
  readonly #place: { run: string; stage: StageName };
  readonly #ledger: Ledger;
  readonly #upstream: Upstream;
  readonly #scale: Scale;

  constructor(place: { run: string; stage: StageName }, ledger: Ledger, upstream: Upstream, scale: Scale) {
    this.#place = place;
    this.#ledger = ledger;
    this.#upstream = upstream;
    this.#scale = scale;
  }

  /** Keeps the first of several choices. */
  follow(body: ChatBody, who: Identity, response: Response): Listener {
    const started = performance.now();
    const heard: Heard = { content: '', thinking: '', finish_reason: null, usage: null };
    const decoder = new TextDecoder();
    const streamed = response.headers.get('content-type')?.includes('text/event-stream') ?? false;
    let complete = false;
    let whole = '';
    let recorded: Promise<void> | null = null;
    const parser = createParser({
      onEvent: ({ data }) => {
        if (data === '[DONE]') complete = true;
        else hear(heard, data);
      },
    });
    return {
      feed: (bytes) => {
        const text = decoder.decode(bytes, { stream: true });
        if (streamed) parser.feed(text);
        else whole += text;
        return complete;
      },
      end: () => {
        if (!streamed && !recorded) hear(heard, whole);
        recorded ??= this.#ledger.append(this.#trace(body, who, heard, performance.now() - started));
        return recorded;
      },
    };
  }

  #trace(body: ChatBody, who: Identity, heard: Heard, latency_ms: number): Trace {
    const { role, config } = this.#upstream;
    // One vote, as a panel of one casts it.
    const occasion = `call:${randomUUID()}:0`;
    const messages = body.messages.map(plainMessage);
    // Field by field: who answers comes with its key.
    const { model, model_digest, endpoint } = who;
    const question = { role, model, model_digest, endpoint, rubric_digest: null, mode: config.mode, messages };
    const { messages: _, stream: __, ...sampling } = body;
    const content = heard.content.toWellFormed();
    const thinking = heard.thinking.toWellFormed() || null;
    const reply = {
      content,
      finish_reason: heard.finish_reason,
      reasoning_content: thinking,
      refusal: null,
      forced: false,
    };
    const reading = readReply({ ...reply, logprobs: null }, config.mode, this.#scale);
    const prompt = messages.findLast((message) => message.role === 'user')?.content ?? '';
    return {
      key: keyOf(question, sampling, occasion),
      occasion,
      ...this.#place,
      ...question,
      prompt,
      completion: '',
      ground_truth: null,
      altered: [],
      answer_prefix: null,
      reply: content,
      thinking,
      ...reading,
      usage: heard.usage,
      latency_ms,
      reused_from: null,
      created_at: new Date().toISOString(),
    };
  }
}

const Part = z.object({ content: Content, ...Thinking }).nullish();
const Chunk = z.object({
  choices: z
    .array(z.object({ index: z.int().nullish(), delta: Part, message: Part, finish_reason: FinishReason }))
    .nullish(),
  usage: UsageOfCall.catch(null),
});

/** What does not fit is left out: the bytes go to the client as they came. */
function hear(heard: Heard, data: string): void {
  const { data: chunk } = Chunk.safeParse(parsed(data));
  if (!chunk) return;
  const choice = chunk.choices?.find(({ index }) => (index ?? 0) === 0);
  const part = choice?.delta ?? choice?.message;
  heard.content += part?.content ?? '';
  heard.thinking += part?.reasoning_content ?? part?.reasoning ?? '';
  heard.finish_reason = choice?.finish_reason ?? heard.finish_reason;
  heard.usage = chunk.usage ?? heard.usage;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

/** Text parts are joined; pictures, sound and tool calls are not kept. */
function plainMessage({ role, content }: ChatCompletionMessageParam): Message {
  if (typeof content === 'string') return { role: role as Message['role'], content };
  const parts = (content ?? []).map((part) => ('text' in part ? part.text : `[${part.type}]`));
  return { role: role as Message['role'], content: parts.join('\n') };
}
