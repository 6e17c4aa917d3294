import type { Fault } from './upstream-errors.ts';

/** A model that keeps failing one request while it answers others; a verdict can say so. */
export class KeepsFailing extends Error {
  override name = 'KeepsFailing';
}

/**
 * Failures of one call, each while the model answered others, after which the request is at fault and not the model. A server
 * that fails half of all requests at random gets there with 6% of them; the pauses in between add up to a second.
 */
const FAILURES = 4;

/** How long "the model does not answer others either" holds. Calls that fail together then cost one probe a second. */
const HOLDS_MS = 1_000;

/** What a small fixed request brought: the model answers others, or this fault. */
export type Probed = 'answers' | Fault;

/** Tells one request that a model cannot answer from a model that is away, by whether the model answers others. */
export class Prober {
  #running: Promise<Probed> | null = null;
  #failed: { at: number; fault: Fault } | null = null;

  /** Calls that ask at the same time share one probe. `send` throws what faultOf understands, sorted by `sort`. */
  ask(send: () => Promise<unknown>, sort: (error: unknown) => Fault): Promise<Probed> {
    if (this.#failed && performance.now() - this.#failed.at < HOLDS_MS) return Promise.resolve(this.#failed.fault);
    this.#running ??= this.#send(send, sort).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #send(send: () => Promise<unknown>, sort: (error: unknown) => Fault): Promise<Probed> {
    try {
      await send();
      this.#failed = null;
      return 'answers';
    } catch (error) {
      const fault = sort(error);
      this.#failed = { at: performance.now(), fault };
      return fault;
    }
  }
}

/** Counts the failures of one call that cannot be the model's. */
export class Suspicion {
  #failures = 0;
  /** Since when others must have been answered for the next failure to count: the call's start or its last failure. */
  since: number;

  constructor(started: number) {
    this.since = started;
  }

  /** Another failure of the call, while others were answered. Throws KeepsFailing where it is one too many, or its time is `over`. */
  count(role: string, message: string, over: boolean): void {
    this.#failures++;
    if (this.#failures < FAILURES && !over) return;
    throw new KeepsFailing(
      `The ${role} failed this request ${this.#failures} times while it answered others: ${message}`,
    );
  }
}
