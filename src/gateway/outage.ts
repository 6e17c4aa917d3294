import type { GatewayEvent } from '../contracts/gateway.ts';
import type { GradingRole } from '../contracts/trace.ts';

type Role = (typeof GradingRole.options)[number];

/** Often enough for a live view, rare enough for a log; the first comes after one interval, so a lone 429 is no news. */
const ANNOUNCE_EVERY_MS = 1_000;

/** Measures how long a role's model has been away, and reports it while a call waits. Times are performance.now(), ms. */
export class Outage {
  #role: Role;
  #emit: (event: GatewayEvent) => void;
  #since: number | null = null;
  #last_success = 0;
  #announced = false;
  #timer: NodeJS.Timeout | null = null;
  #reason = '';
  #total_ms = 0;
  /** Calls that wait now. */
  waiting = 0;

  constructor(role: Role, emit: (event: GatewayEvent) => void) {
    this.#role = role;
    this.#emit = emit;
  }

  /** Seconds in which the model was away, this outage included. */
  get total_s(): number {
    return (this.#total_ms + this.away_ms) / 1000;
  }

  get away_ms(): number {
    return this.#since === null ? 0 : performance.now() - this.#since;
  }

  /** Whether some call was answered after `time`. */
  answeredSince(time: number): boolean {
    return this.#last_success > time;
  }

  /** A call that began at `started` failed. A call that was answered since then shows that the model was not away all that time. */
  failed(started: number, reason: string): void {
    this.#reason = reason;
    this.#since ??= Math.max(started, this.#last_success);
    if (this.#timer) return;
    this.#timer = setInterval(() => this.#announce(), ANNOUNCE_EVERY_MS);
    this.#timer.unref();
  }

  answered(): void {
    this.#last_success = performance.now();
    if (this.#since === null) return;
    const away_ms = this.away_ms;
    this.#total_ms += away_ms;
    this.#since = null;
    this.stop();
    if (this.#announced) this.#emit({ event: 'recovered', for: this.#role, seconds: round(away_ms / 1000) });
    this.#announced = false;
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  #announce(): void {
    if (this.#since === null || this.waiting === 0) return;
    this.#announced = true;
    this.#emit({ event: 'waiting', for: this.#role, seconds: round(this.away_ms / 1000), reason: this.#reason });
  }
}

const round = (seconds: number): number => Math.round(seconds * 10) / 10;
