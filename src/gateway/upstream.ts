import OpenAI, { APIError } from 'openai';
import type { GatewayEvent, GatewayRole, RoleStats } from '../contracts/gateway.ts';
import type { GradingRole } from '../contracts/trace.ts';
import type { Identity } from '../ledger/key.ts';
import { type Endpoint, NotPublished, readEndpoint } from './endpoint.ts';
import { GatewayError, judgeAway, judgeMisconfigured } from './errors.ts';
import { Limiter } from './limiter.ts';
import { Outage } from './outage.ts';
import { pauseBetweenTries } from './pause-between-tries.ts';
import { Prober, Suspicion } from './poison.ts';
import { type Fault, faultOf, NoAnswerInTime } from './upstream-errors.ts';

export type Role = (typeof GradingRole.options)[number];

/** One request that this model will never answer; a verdict can say so. */
export class Rejected extends Error {
  override name = 'Rejected';
  readonly refused: boolean;
  readonly status: number;

  constructor(fault: Extract<Fault, { kind: 'rejected' }>) {
    super(fault.message);
    this.refused = fault.refused;
    this.status = fault.status;
  }
}

export interface Live {
  endpoint: Endpoint;
  client: OpenAI;
}

type Ask<T> = (live: Live, signal: AbortSignal) => Promise<T>;

/** One role's model server. All limits, retries and waits are here, and no caller adds its own. */
export class Upstream {
  readonly role: Role;
  readonly config: GatewayRole;
  readonly outage: Outage;
  readonly stats: RoleStats;
  #limiter: Limiter;
  #live: Live | null = null;
  #identity: Identity | null = null;
  #prober = new Prober();
  #closing = new AbortController();

  constructor(role: Role, config: GatewayRole, emit: (event: GatewayEvent) => void) {
    this.role = role;
    this.config = config;
    this.outage = new Outage(role, emit);
    this.#limiter = new Limiter(config.concurrency);
    const zero = { calls: 0, asked: 0, replayed: 0, reused: 0, in_flight: 0, waiting: 0, waiting_s: 0 };
    this.stats = { ...zero, prompt_tokens: 0, completion_tokens: 0 };
  }

  /** Model that answers. Fixed once known, because the keys of a run must not depend on which server was up. Waits until a place is published. */
  async identity(): Promise<Identity> {
    return this.#identity ?? (await this.#patiently(null, async ({ endpoint }) => endpoint));
  }

  /** The same if it is known without waiting. */
  identityNow(): Identity | null {
    try {
      return this.#identity ?? this.place().endpoint;
    } catch {
      return null;
    }
  }

  /**
   * Runs `ask` until it is answered: through refused connections, timeouts, 429 and 5xx. It reads again where the model is before each retry.
   * Returns the answer and the milliseconds of the attempt that succeeded. Throws Rejected or KeepsFailing, which are about this
   * request, or GatewayError judge_away or judge_misconfigured. `probe` is a request that is known to be harmless.
   */
  call<T>(max_tokens: number, ask: Ask<T>, probe: Ask<unknown>): Promise<{ value: T; latency_ms: number }> {
    return this.#limiter.run(async () => {
      this.stats.in_flight++;
      try {
        let latency_ms = 0;
        const timed: Ask<T> = async (live, signal) => {
          const started = performance.now();
          const answer = await ask(live, signal);
          latency_ms = performance.now() - started;
          return answer;
        };
        const value = await this.#patiently(max_tokens, timed, probe);
        return { value, latency_ms };
      } finally {
        this.stats.in_flight--;
      }
    });
  }

  /** One attempt under the concurrency limit, for callers that have retries of their own. */
  once<T>(ask: (live: Live) => Promise<T>): Promise<T> {
    return this.#limiter.run(async () => {
      this.stats.in_flight++;
      try {
        return await ask(this.place());
      } finally {
        this.stats.in_flight--;
      }
    });
  }

  /** Forgets where the model was; true if it is there no more: elsewhere, or nowhere while it is started again. */
  moved(from: Endpoint): boolean {
    this.#live = null;
    try {
      return this.place().endpoint.base_url !== from.base_url;
    } catch (error) {
      return error instanceof NotPublished;
    }
  }

  close(): void {
    this.outage.stop();
    this.#closing.abort(new GatewayError(503, 'gateway_closing', 'The gateway is shutting down.'));
  }

  place(): Live {
    if (this.#live) return this.#live;
    const endpoint = readEndpoint(this.role, this.config);
    const { model, model_digest } = endpoint;
    this.#identity ??= { model, model_digest, endpoint: endpoint.endpoint };
    if (this.#identity.model !== model || this.#identity.model_digest !== model_digest) {
      const [was, is] = [this.#identity, endpoint].map((who) => `${who.model} (${who.model_digest ?? 'no digest'})`);
      throw judgeMisconfigured(
        `Expected the ${this.role} to stay ${was}, got ${is}: start a new gateway to change models.`,
      );
    }
    // This class retries and times out; a second layer inside the client would multiply both.
    const client = new OpenAI({
      baseURL: endpoint.base_url,
      apiKey: endpoint.api_key ?? 'none',
      maxRetries: 0,
      // The answer itself instead, which says where to: see redirectIn.
      fetchOptions: { redirect: 'manual' },
      timeout: 2 ** 31 - 1,
      organization: null,
      project: null,
      logLevel: 'off',
    });
    this.#live = { endpoint, client };
    return this.#live;
  }

  async #patiently<T>(max_tokens: number | null, ask: Ask<T>, probe: Ask<unknown> | null = null): Promise<T> {
    let first_failure: number | null = null;
    const suspicion = new Suspicion(performance.now());
    for (let attempt = 0; ; attempt++) {
      this.#closing.signal.throwIfAborted();
      const started = performance.now();
      let live: Live | null = null;
      try {
        live = this.place();
        const answer = await this.#timed(ask, live);
        this.outage.answered();
        return answer;
      } catch (error) {
        this.#closing.signal.throwIfAborted();
        const fault = this.#sort(error, live, max_tokens);
        if (fault.kind === 'rejected') throw new Rejected(fault);
        first_failure ??= started;
        const stays = live !== null && !this.moved(live.endpoint);
        const limit_ms = this.config.outage_limit_s * 1000;
        // In this order: an outage that this call began is never over before the call's own time is.
        const away_too_long = this.outage.away_ms >= limit_ms;
        const over = performance.now() - first_failure >= limit_ms;
        const others = stays && live && probe ? await this.#askOthers(live, probe, { suspicion, fault, over }) : fault;
        if (others === 'answered') suspicion.count(this.role, fault.message, over);
        else if (away_too_long || over) throw this.#away(others === fault ? fault.brief : others.message);
        else this.outage.failed(started, others.message);
        suspicion.since = performance.now();
        await this.#pause(attempt, fault, limit_ms - this.outage.away_ms);
      }
    }
  }

  /**
   * Whether the model has answered other requests since this one was tried before; else why it does not. Throws judge_misconfigured where it rejects all.
   * Failures that only say "later" do not count against a request before its time is up.
   */
  async #askOthers(
    live: Live,
    probe: Ask<unknown>,
    { suspicion, fault, over }: { suspicion: Suspicion; fault: Fault; over: boolean },
  ): Promise<'answered' | Fault> {
    if (fault.kind === 'away' && !fault.suspect && !over) return fault;
    if (this.outage.answeredSince(suspicion.since)) return 'answered';
    const { base_url, model } = live.endpoint;
    const probed = await this.#prober.ask(
      () => this.#timed(probe, live),
      (error) => this.#sort(error, live, null),
    );
    this.#closing.signal.throwIfAborted();
    if (probed === 'answers') {
      this.outage.answered();
      return 'answered';
    }
    if (fault.kind === 'misconfigured' && probed.kind !== 'away') {
      throw judgeMisconfigured(
        `The ${this.role} at ${base_url} (model "${model}") cannot be used as configured: ${probed.message}`,
      );
    }
    return probed;
  }

  /** Sorts a failed call. A vLLM that gavel started has the key that gavel reads: what refuses it is another server on its old port. */
  #sort(error: unknown, live: Live | null, max_tokens: number | null): Fault {
    const fault = faultOf(error, [live?.endpoint.api_key ?? null], max_tokens);
    const own = this.config.engine === 'vllm' && this.config.endpoint_file !== null;
    if (!own || !(error instanceof APIError) || error.status !== 401) return fault;
    return { kind: 'away', message: fault.message, brief: 'HTTP 401', retry_after_s: null, suspect: false };
  }

  /** Gives an attempt its deadline: body included, which the client's own timeout leaves out. */
  async #timed<T>(ask: Ask<T>, live: Live): Promise<T> {
    const { timeout_s } = this.config;
    const attempt = new AbortController();
    const onClose = () => attempt.abort(this.#closing.signal.reason);
    this.#closing.signal.addEventListener('abort', onClose);
    const timer = setTimeout(() => {
      attempt.abort(new NoAnswerInTime(`No answer within ${timeout_s} s.`));
    }, timeout_s * 1000);
    try {
      return await ask(live, attempt.signal);
    } catch (error) {
      throw attempt.signal.aborted ? attempt.signal.reason : error;
    } finally {
      clearTimeout(timer);
      this.#closing.signal.removeEventListener('abort', onClose);
    }
  }

  #away(reason: string): GatewayError {
    const { outage_limit_s } = this.config;
    return judgeAway(`The ${this.role} has not answered for ${outage_limit_s} s (outage_limit_s). Last: ${reason}`);
  }

  async #pause(attempt: number, fault: Fault, left_ms: number): Promise<void> {
    this.outage.waiting++;
    try {
      await pauseBetweenTries(attempt, fault, { left_ms, signal: this.#closing.signal });
    } finally {
      this.outage.waiting--;
    }
  }
}
