import type { Altered, GradeRequest, Message, StageName, Trace } from '../contracts/trace.ts';
import type { PairOrder, Verdict } from '../contracts/verdict.ts';
import type { Prompting } from '../judging/modes/mode.ts';
import { inOrder } from '../judging/preference.ts';
import { readReply } from '../judging/read-reply.ts';
import type { Reading, Reply } from '../judging/reply.ts';
import { type Scale, unscored } from '../judging/value.ts';
import { keyOf, type Question, textDigest } from '../ledger/key.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { ask } from './ask.ts';
import { errorLine } from './error-line.ts';
import { KeepsFailing } from './poison.ts';
import { keyed, type Settings, settingsOf } from './settings.ts';
import { Rejected, type Upstream } from './upstream.ts';

/** One vote of a panel: its question, its model and its occasion. */
export interface Call {
  request: GradeRequest;
  /** The request's occasion, the order of a pair, and the number of the vote. */
  occasion: string;
  /** Which completion of a pair is shown first; null: the subject is none. */
  order: PairOrder | null;
  upstream: Upstream;
  question: Question;
  altered: Altered;
  /** What is asked to learn whether the model answers others. */
  probe: () => Message[];
  settings: Settings;
  scale: Scale;
}

/** Puts a vote's call together. */
export function callOf(from: Omit<Call, 'settings' | 'occasion'>, prompting: Prompting): Omit<Call, 'occasion'> {
  return { ...from, settings: settingsOf(from.upstream.config, prompting) };
}

/** A trace whose reply answers the same question under the same settings; null: there is none. */
export function traceOfText(
  ledger: Ledger,
  { question, settings }: Pick<Call, 'question' | 'settings'>,
  text: string,
): Trace | null {
  const key = ledger.keyOfText(text);
  const trace = key === null ? null : ledger.find(key);
  // A call that failed left no reply to reuse.
  if (trace === null || trace.verdict === 'failed') return null;
  // Only with the same settings does its occasion lead to its key.
  return keyOf(question, keyed(settings), trace.occasion) === trace.key ? trace : null;
}

/** The reply is paid for. An error instead of a trace would have it paid again at each retry. */
function readingOf(reply: Reply, { question, scale, order }: Call): Reading {
  try {
    const reading = readReply(reply, question.mode, scale);
    return order === null ? reading : inOrder(reading, order);
  } catch (error) {
    const reasoning = `The reply could not be read: ${errorLine((error as Error).message)}`;
    return { ...unscored('failed'), reasoning };
  }
}

/** The verdict that a trace holds. */
export function verdictOf(trace: Trace): Verdict {
  const { verdict, score, value, value_rule, p_pass, confidence, distribution, off_scale_mass, preference } = trace;
  const numbers = { verdict, score, value, value_rule, p_pass, confidence, distribution, off_scale_mass };
  return preference ? { ...numbers, preference } : numbers;
}

type Outcome = Reading & Pick<Trace, 'reply' | 'thinking' | 'usage' | 'latency_ms' | 'reused_from'>;

/** Answers grading calls: each key is asked once, and its trace is on disk before its verdict is returned. */
export class Voter {
  readonly #place: { run: string; stage: StageName };
  readonly #ledger: Ledger;
  /** Calls under way, by key; and, where a reply may be reused, by text. */
  readonly #calls = new Map<string, Promise<Trace>>();
  readonly #texts = new Map<string, Promise<Trace>>();

  constructor(place: { run: string; stage: StageName }, ledger: Ledger) {
    this.#place = place;
    this.#ledger = ledger;
  }

  /** The trace of a call, and whether it was answered without asking the model. */
  async vote(call: Call): Promise<{ trace: Trace; replayed: boolean }> {
    const { stats } = call.upstream;
    const key = keyOf(call.question, keyed(call.settings), call.occasion);
    stats.calls++;
    const known = this.#ledger.find(key) ?? this.#calls.get(key);
    if (known) {
      stats.replayed++;
      return { trace: await known, replayed: true };
    }
    const answer = this.#answer(call, key).finally(() => this.#calls.delete(key));
    this.#calls.set(key, answer);
    const trace = await answer;
    const replayed = trace.reused_from !== null;
    if (replayed) stats.replayed++;
    return { trace, replayed };
  }

  async #answer(call: Call, key: string): Promise<Trace> {
    // At temperature 0 the same text gives the same reply. A retest measures whether it does, so it is always asked.
    if (call.settings.temperature > 0 || call.occasion.startsWith('retest:')) return this.#ask(call, key);
    const text = textDigest(call.question);
    const earlier = traceOfText(this.#ledger, call, text);
    if (earlier) return this.#reuse(call, key, earlier);
    const running = this.#texts.get(text);
    const first = await running;
    if (first && first.verdict !== 'failed') return this.#reuse(call, key, first);
    const asked = this.#ask(call, key).finally(() => this.#texts.delete(text));
    this.#texts.set(text, asked);
    return asked;
  }

  async #reuse(call: Call, key: string, from: Trace): Promise<Trace> {
    call.upstream.stats.reused++;
    const { reply, thinking, reasoning, key: reused_from } = from;
    const same = verdictOf(from);
    const verdict = call.order === null ? same : inOrder(same, call.order);
    return this.#record(call, key, { reply, thinking, reasoning, ...verdict, usage: null, latency_ms: 0, reused_from });
  }

  async #ask(call: Call, key: string): Promise<Trace> {
    const { upstream, question, settings } = call;
    try {
      const { reply, usage, latency_ms } = await ask(
        upstream,
        { messages: question.messages, probe: call.probe },
        settings,
      );
      const reading = readingOf(reply, call);
      const said = { reply: reply.content, thinking: reply.reasoning_content };
      return await this.#record(call, key, { ...said, ...reading, usage, latency_ms, reused_from: null });
    } catch (error) {
      if (!(error instanceof Rejected || error instanceof KeepsFailing)) throw error;
      // The request would fail again (too long, forbidden, a crash of the server's parser). Waiting would block the stage for ever,
      // and failing would let one completion end a run. It gets a verdict without a score, which gives the reason.
      const none = unscored(error instanceof Rejected && error.refused ? 'refused' : 'failed');
      const reasoning =
        error instanceof Rejected ? `The model server rejected the request: ${error.message}` : error.message;
      const nothing = { reply: '', thinking: null, usage: null, latency_ms: 0, reused_from: null };
      return this.#record(call, key, { ...none, reasoning, ...nothing });
    }
  }

  async #record(call: Call, key: string, outcome: Outcome): Promise<Trace> {
    const { request, occasion, question, altered, settings } = call;
    const { prompt, completion, opponent, ground_truth } = request;
    const { role, model, model_digest, endpoint, rubric_digest, mode, messages } = question;
    const subject = { prompt, completion, ...(opponent !== null && { opponent }), ground_truth };
    const asked = { model, model_digest, endpoint, rubric_digest, ...subject, messages, altered };
    const trace: Trace = {
      ...{ key, occasion, ...this.#place, role, mode, ...asked },
      ...{ answer_prefix: settings.answer_prefix, ...outcome, created_at: new Date().toISOString() },
    };
    await this.#ledger.append(trace);
    return trace;
  }
}
