import type { Calls } from '../../gateway/unanswered.ts';

/** How long the grading passes of an audit will take together, from how fast their rows come in. */

/** What the estimate says of a pass, and how far it is. */
export interface Pass extends Pick<Calls, 'role' | 'mode' | 'requests' | 'asked' | 'characters' | 'reply_tokens'> {
  step: number;
}

/** Rates are those of the last half minute: the rows that the ledger answers come first, and take no time. */
const WINDOW_MS = 30_000;

/** A prompt is read by the batch and a reply is written token by token: twenty characters take about as long as one token of a reply. */
const CHARACTERS_PER_REPLY_TOKEN = 20;

interface Seen {
  at: number;
  step: number;
}

export class TimeLeft {
  readonly passes: Pass[];
  readonly #seen = new Map<string, Seen[]>();

  constructor(calls: Calls[]) {
    this.passes = calls.map((each) => ({ ...each, step: 0 }));
  }

  get step(): number {
    return this.passes.reduce((sum, { step }) => sum + step, 0);
  }

  get total(): number {
    return this.passes.reduce((sum, { requests }) => sum + requests, 0);
  }

  /** A pass has `step` of its rows at the time `at` (ms). */
  update(role: string, mode: string, { step, at }: Seen): void {
    const pass = this.passes.find((each) => each.role === role && each.mode === mode);
    if (!pass) return;
    pass.step = step;
    const seen = this.#seen.get(nameOf(pass)) ?? [];
    seen.push({ at, step });
    while (seen.length > 2 && (seen[1] as Seen).at < at - WINDOW_MS) seen.shift();
    this.#seen.set(nameOf(pass), seen);
  }

  /** Rows a second of the pass that was heard of last; null: not known yet. */
  rate(role: string, mode: string): number | null {
    const pass = this.passes.find((each) => each.role === role && each.mode === mode);
    return pass ? this.#rate(pass) : null;
  }

  /** Seconds until every row of every pass is graded; null: not known yet. */
  get seconds(): number | null {
    // Work that one second does, in pass after pass; the newest that has a rate tells most about those to come.
    let speed: number | null = null;
    let seconds = 0;
    for (const pass of this.passes) {
      const rate = this.#rate(pass);
      const left = pass.requests - pass.step;
      if (rate !== null) {
        speed = rate * work(pass);
        seconds += left / rate;
      } else if (left > 0 && pass.asked > 0) {
        if (speed === null || speed === 0) return null;
        seconds += (left * work(pass)) / speed;
      }
    }
    return seconds;
  }

  #rate(pass: Pass): number | null {
    const seen = this.#seen.get(nameOf(pass)) ?? [];
    const [first, last] = [seen[0], seen.at(-1)];
    if (!first || !last || last.at === first.at || last.step === first.step) return null;
    return (1000 * (last.step - first.step)) / (last.at - first.at);
  }
}

const nameOf = ({ role, mode }: Pick<Pass, 'role' | 'mode'>) => `${role} ${mode}`;

/** How much there is to do for a row of a pass, in tokens of a reply; a mean, so that rows that are answered already weigh in. */
const work = ({ characters, reply_tokens, requests }: Pass) =>
  (characters / CHARACTERS_PER_REPLY_TOKEN + reply_tokens) / Math.max(1, requests);
