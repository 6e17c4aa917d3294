import type { GradingMode } from '../contracts/mode.ts';
import type { Altered, Grade, GradeRequest, StageName } from '../contracts/trace.ts';
import { modes } from '../judging/modes/registry.ts';
import { combinePair } from '../judging/pair.ts';
import { combine } from '../judging/panel.ts';
import type { LoadedRubric } from '../judging/rubric.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { type Ballot, ballotsOf } from './ballots.ts';
import { badRequest } from './errors.ts';
import { promptingOf, rubricOf } from './prompting.ts';
import type { Role, Upstream } from './upstream.ts';
import { type Call, callOf, Voter, verdictOf } from './vote.ts';

/** What every judge can read. */
const HARMLESS = { prompt: '1+1=', completion: '2', ground_truth: '2' };
const HARMLESS_PAIR = { ...HARMLESS, opponent: '3' };

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
    const mode = request.mode ?? upstream.config.mode;
    const ballots = ballotsOf(request, mode, panel);
    const cast = await Promise.all(
      ballots.map(async (ballot) => {
        const call = await this.#prepare(request, mode, ballot, upstream);
        return Promise.all(ballot.occasions.map((occasion) => this.#voter.vote({ ...call, occasion })));
      }),
    );
    const votes = cast.flat();
    const traces = votes.map(({ trace }) => trace);
    const [first = [], second] = cast.map((some) => some.map(({ trace }) => verdictOf(trace)));
    const verdict = second ? combinePair({ ab: first, ba: second }, panel) : combine(first, panel);
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

  async #prepare(
    request: GradeRequest,
    mode: GradingMode,
    { shown, order }: Ballot,
    upstream: Upstream,
  ): Promise<Omit<Call, 'occasion'>> {
    const { rubric, digest } = rubricOf(this.#rubric);
    const { altered, ...prompting } = promptingOf(rubric, this.#control, mode, shown);
    const { model, model_digest, endpoint } = await upstream.identity();
    const asked = { model, model_digest, endpoint, rubric_digest: digest, mode, messages: prompting.messages };
    const harmless = modes[mode].pairs ? HARMLESS_PAIR : HARMLESS;
    const probe = () => promptingOf(rubric, this.#control, mode, harmless).messages;
    const question = { role: upstream.role, ...asked };
    const by_name = order === 'ba' ? altered.map(exchanged) : altered;
    return callOf({ request, order, upstream, question, altered: by_name, probe, scale: rubric }, prompting);
  }
}

/** A field of what was shown as the request names it, where the opponent was shown first. */
function exchanged(field: Altered[number]): Altered[number] {
  if (field === 'completion') return 'opponent';
  return field === 'opponent' ? 'completion' : field;
}
