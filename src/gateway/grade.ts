import type { Grade, GradeRequest, StageName } from '../contracts/trace.ts';
import { combine } from '../judging/panel.ts';
import type { LoadedRubric } from '../judging/rubric.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { badRequest } from './errors.ts';
import { promptingOf, rubricOf } from './prompting.ts';
import type { Role, Upstream } from './upstream.ts';
import { type Call, callOf, Voter } from './vote.ts';

/** What every judge can read. */
const HARMLESS = { prompt: '1+1=', completion: '2', ground_truth: '2' };

/** Turns grading requests into verdicts: asks the panel of the role, and combines its votes. */
export class Grader {
  readonly #rubric: LoadedRubric | null;
  readonly #upstreams: Partial<Record<Role, Upstream>>;
  readonly #voter: Voter;
  readonly #control: RegExp;

  /** `control` finds what no graded text may spell. */
  constructor(
    place: { run: string; stage: StageName },
    rubric: LoadedRubric | null,
    control: RegExp,
    ledger: Ledger,
    upstreams: Partial<Record<Role, Upstream>>,
  ) {
    this.#rubric = rubric;
    this.#control = control;
    this.#upstreams = upstreams;
    this.#voter = new Voter(place, ledger);
  }

  async grade(request: GradeRequest): Promise<Grade> {
    const upstream = this.#upstreamOf(request);
    const { panel } = upstream.config;
    const call = await this.#prepare(request, upstream);
    const votes = await Promise.all(
      Array.from({ length: panel.votes }, (_, vote) =>
        this.#voter.vote({ ...call, occasion: `${request.occasion}:${vote}` }),
      ),
    );
    const traces = votes.map(({ trace }) => trace);
    const verdict = combine(
      traces.map(({ verdict, score, value, value_rule, p_pass, confidence, distribution, off_scale_mass }) => {
        return { verdict, score, value, value_rule, p_pass, confidence, distribution, off_scale_mass };
      }),
      panel,
    );
    const telling = traces.find((trace) => trace.verdict === verdict.verdict) ?? traces[0];
    return {
      trace_keys: traces.map(({ key }) => key),
      ...verdict,
      reasoning: telling?.reasoning ?? null,
      replayed: votes.every(({ replayed }) => replayed),
      latency_ms: Math.max(...traces.map(({ latency_ms }) => latency_ms)),
    };
  }

  #upstreamOf({ role }: GradeRequest): Upstream {
    const upstream = this.#upstreams[role];
    if (upstream) return upstream;
    const served = Object.keys(this.#upstreams).join(', ');
    throw badRequest(
      `role: Expected one of ${served}, got ${role}, which this gateway does not serve.`,
      'role_not_served',
    );
  }

  async #prepare(request: GradeRequest, upstream: Upstream): Promise<Call> {
    const { rubric, digest } = rubricOf(this.#rubric);
    const mode = request.mode ?? upstream.config.mode;
    const { occasion } = request;
    const { altered, ...prompting } = promptingOf(rubric, this.#control, mode, request);
    const { model, model_digest, endpoint } = await upstream.identity();
    const asked = { model, model_digest, endpoint, rubric_digest: digest, mode, messages: prompting.messages };
    const probe = () => promptingOf(rubric, this.#control, mode, HARMLESS).messages;
    const question = { role: upstream.role, ...asked };
    return callOf({ request, occasion, upstream, question, altered, probe, scale: rubric }, prompting);
  }
}
