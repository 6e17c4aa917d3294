import { appendFileSync } from 'node:fs';

/** The event log of one seed: append-only, one JSON line an event; whatever is measured or checked is read from it. */

export type Stage = 'grpo' | 'sft' | 'audit';
/** Where a fault can strike: in a stage, before the first or after the last. */
export type Phase = 'prepare' | Stage | 'report';

export type Event =
  | { event: 'started'; seed: number; scenario: string; plan: string[] }
  | {
      event: 'epoch';
      stage: Stage;
      epoch: number;
      node: string;
      starts_from: string | null;
      started_at: string;
      resumed_step: number;
    }
  | { event: 'trainer'; stage: Stage; epoch: number; pid: number; gpus: string }
  | { event: 'step'; stage: Stage; epoch: number; step: number; seconds: number }
  | { event: 'commit'; stage: Stage; epoch: number; step: number; checkpoint: string }
  | { event: 'result'; stage: Stage; sha256: string; epoch: number }
  | { event: 'listener'; what: string; port: number; socket: string }
  | { event: 'judge_call'; body: string; again: boolean }
  | {
      event: 'fault';
      id: number;
      kind: string;
      stage: Phase;
      epoch: number;
      step: number;
      committed: number;
      detail: string;
    }
  | { event: 'healed'; id: number; seconds: Record<string, number> }
  | { event: 'given_up'; id: number; why: string }
  /** A fault has damaged the line of the journal that holds this completion. */
  | { event: 'journal_damaged'; epoch: number; place: string }
  /** Adapters that a server of the policy has loaded. */
  | { event: 'adapters'; server: string; names: string[] }
  | { event: 'reached'; what: Sometimes; detail: string }
  | { event: 'violation'; assertion: string; detail: string }
  | { event: 'workflow'; status: string }
  | { event: 'ended'; seconds: number };

/** What a campaign must have seen at least once, or it has not tested what it claims to. */
export const SOMETIMES = [
  'fallback to an older checkpoint',
  'voided zombie write',
  'kill during a save',
  'judge outage during a step',
  'server restart',
  'move to the other node',
] as const;
/** What a campaign of served rollouts must have seen besides. */
export const SOMETIMES_SERVED = [
  'policy server killed while it sampled',
  'policy server hung while it sampled',
  'adapter half published',
  'trainer killed with rollouts pending',
  'torn line of the journal',
  'altered line of the journal',
] as const;
export type Sometimes = (typeof SOMETIMES)[number] | (typeof SOMETIMES_SERVED)[number];

/** An event, and when it was seen (ms since 1970). */
export type Logged = Event & { at: number };

export class EventLog {
  readonly path: string;
  readonly events: Logged[] = [];
  private waiters: (() => void)[] = [];

  constructor(path: string) {
    this.path = path;
  }

  add(event: Event, at = Date.now()): Logged {
    const logged = { at, ...event };
    this.events.push(logged);
    appendFileSync(this.path, `${JSON.stringify(logged)}\n`);
    for (const wake of this.waiters.splice(0)) wake();
    return logged;
  }

  of<E extends Event['event']>(event: E): Extract<Logged, { event: E }>[] {
    return this.events.filter((logged): logged is Extract<Logged, { event: E }> => logged.event === event);
  }

  /** Resolves at the first event from number `from` on that `wanted` accepts; null when `timeout_ms` is over. */
  async next<E extends Event['event']>(
    event: E,
    wanted: (logged: Extract<Logged, { event: E }>) => boolean,
    { from = this.events.length, timeout_ms, unless }: { from?: number; timeout_ms: number; unless?: () => boolean },
  ): Promise<Extract<Logged, { event: E }> | null> {
    const until = Date.now() + timeout_ms;
    for (let at = from; ; ) {
      for (; at < this.events.length; at += 1) {
        const logged = this.events[at] as Logged;
        if (logged.event === event && wanted(logged as Extract<Logged, { event: E }>))
          return logged as Extract<Logged, { event: E }>;
      }
      const left = until - Date.now();
      if (left <= 0 || unless?.()) return null;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 1000));
        this.waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }
}
