import type { Grade, GradeRequest, StageName, Trace } from '../contracts/trace.ts';
import { type LoadedRubric, renderMessages } from '../judging/rubric.ts';
import { parseReply } from '../judging/verdict.ts';
import { keyOf, type Question, textDigest } from '../ledger/key.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { ask, samplingOf } from './ask.ts';
import { badRequest } from './errors.ts';
import { KeepsFailing } from './poison.ts';
import { Rejected, type Role, type Upstream } from './upstream.ts';

interface Call {
  request: GradeRequest;
  upstream: Upstream;
  question: Question;
  sampling: ReturnType<typeof samplingOf>;
  key: string;
}

/** Turns grading requests into verdicts: each key is asked once, and its trace is on disk before its verdict is out. */
export class Grader {
  readonly #place: { run: string; stage: StageName };
  readonly #rubric: LoadedRubric | null;
  readonly #ledger: Ledger;
  readonly #upstreams: Partial<Record<Role, Upstream>>;
  /** Calls under way, by key; and, where a reply may be reused, by role and text. */
  readonly #calls = new Map<string, Promise<Trace>>();
  readonly #texts = new Map<string, Promise<Trace>>();

  constructor(
    place: { run: string; stage: StageName },
    rubric: LoadedRubric | null,
    ledger: Ledger,
    upstreams: Partial<Record<Role, Upstream>>,
  ) {
    this.#place = place;
    this.#rubric = rubric;
    this.#ledger = ledger;
    this.#upstreams = upstreams;
  }

  async grade(request: GradeRequest): Promise<Grade> {
    const call = await this.#prepare(request);
    const { upstream, key } = call;
    upstream.stats.calls++;
    const kept = this.#ledger.find(key);
    if (kept) {
      upstream.stats.replayed++;
      return gradeOf(kept, true);
    }
    const same = this.#calls.get(key);
    if (same) {
      upstream.stats.replayed++;
      return gradeOf(await same, true);
    }
    const answer = this.#answer(call).finally(() => this.#calls.delete(key));
    this.#calls.set(key, answer);
    const trace = await answer;
    if (trace.reused_from !== null) upstream.stats.replayed++;
    return gradeOf(trace, trace.reused_from !== null);
  }

  async #prepare(request: GradeRequest): Promise<Call> {
    const { role, prompt, completion, ground_truth } = request;
    const upstream = this.#upstreams[role];
    if (!upstream) {
      const served = Object.keys(this.#upstreams).join(', ');
      throw badRequest(
        `role: Expected one of ${served}, got ${role}, which this gateway does not serve.`,
        'role_not_served',
      );
    }
    if (!this.#rubric)
      throw badRequest('Expected a gateway with a rubric; this one was started for chat only.', 'no_rubric');
    const { rubric, digest } = this.#rubric;
    if (rubric.reference_guided && ground_truth === null) {
      throw badRequest(`ground_truth: Expected text, because rubric "${rubric.name}" is reference-guided, got null.`);
    }
    const mode = request.mode ?? upstream.config.mode;
    const messages = renderMessages(rubric, mode, { prompt, completion, ground_truth });
    const { model, model_digest } = await upstream.identity();
    const question: Question = { model, model_digest, rubric_digest: digest, mode, messages };
    const sampling = samplingOf(upstream.config, mode);
    return { request, upstream, question, sampling, key: keyOf(question, sampling, request.occasion) };
  }

  async #answer(call: Call): Promise<Trace> {
    // At temperature 0 the same text gives the same reply. A retest asks whether it really does, so it is never spared.
    if (call.sampling.temperature > 0 || call.request.occasion.startsWith('retest:')) return this.#ask(call);
    const text = textDigest(call.question);
    const earlier = this.#sameText(call, text);
    if (earlier) return this.#reuse(call, earlier);
    const flight = `${call.question.mode} ${call.upstream.role} ${text}`;
    const running = this.#texts.get(flight);
    const first = await running;
    if (first && first.verdict !== 'failed') return this.#reuse(call, first);
    const asked = this.#ask(call).finally(() => this.#texts.delete(flight));
    this.#texts.set(flight, asked);
    return asked;
  }

  #sameText({ question, sampling }: Call, text: string): Trace | null {
    const key = this.#ledger.keyOfText(text);
    const trace = key === null ? null : this.#ledger.find(key);
    // Only with the same sampling parameters does its occasion lead to its key. A call that failed left no reply to reuse.
    return trace && trace.verdict !== 'failed' && keyOf(question, sampling, trace.occasion) === trace.key
      ? trace
      : null;
  }

  async #reuse(call: Call, { key, reply, ...from }: Trace): Promise<Trace> {
    call.upstream.stats.reused++;
    const { verdict, score, expectation, distribution, off_digit_mass, reasoning } = from;
    const judged = { verdict, score, expectation, distribution, off_digit_mass, reasoning };
    return this.#record(call, { reply, ...judged, usage: null, latency_ms: 0, reused_from: key });
  }

  async #ask(call: Call): Promise<Trace> {
    const { upstream, question } = call;
    try {
      const { reply, usage, latency_ms } = await ask(upstream, question.mode, question.messages);
      const { confidence: _, ...judged } = parseReply(reply, question.mode);
      return await this.#record(call, { reply: reply.content, ...judged, usage, latency_ms, reused_from: null });
    } catch (error) {
      if (!(error instanceof Rejected || error instanceof KeepsFailing)) throw error;
      // What this one request meets (too long, forbidden, a crash of the server's parser) it meets again: waiting would hold up
      // the stage for ever, and ending it would let one completion end a run. It gets a verdict without a score, which says why.
      const none = { score: null, expectation: null, distribution: null, off_digit_mass: null, usage: null };
      const verdict = error instanceof Rejected && error.refused ? 'refused' : 'failed';
      const reasoning =
        error instanceof Rejected ? `The model server rejected the request: ${error.message}` : error.message;
      return this.#record(call, { reply: '', verdict, reasoning, ...none, latency_ms: 0, reused_from: null });
    }
  }

  async #record({ request, question, key }: Call, outcome: Outcome): Promise<Trace> {
    const { role, occasion, prompt, completion, ground_truth } = request;
    const { model, model_digest, rubric_digest, mode, messages } = question;
    const asked = { model, model_digest, rubric_digest, prompt, completion, ground_truth, messages };
    const created_at = new Date().toISOString();
    const trace: Trace = { key, occasion, ...this.#place, role, mode, ...asked, ...outcome, created_at };
    await this.#ledger.append(trace);
    return trace;
  }
}

type Outcome = Pick<
  Trace,
  | 'reply'
  | 'verdict'
  | 'score'
  | 'expectation'
  | 'distribution'
  | 'off_digit_mass'
  | 'reasoning'
  | 'usage'
  | 'latency_ms'
  | 'reused_from'
>;

function gradeOf(trace: Trace, replayed: boolean): Grade {
  const { key, verdict, score, expectation, distribution, off_digit_mass, reasoning, latency_ms } = trace;
  const confidence = distribution ? Math.max(...distribution) : null;
  return { key, verdict, score, expectation, confidence, off_digit_mass, reasoning, replayed, latency_ms };
}
