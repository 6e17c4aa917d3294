/** Tells a trainer that works from one that only lives: it must say something within a time learned from its own steps. */

export interface ProgressDeadlineOptions {
  /** No silence below this counts as a hang. */
  floor_s: number;
  /** Allowed silence in a phase that has not yet shown how long its steps take. */
  load_s: number;
  /** true while it waits for judge, gateway or GPUs, and says so: that is no hang. */
  isWaiting: () => boolean;
  /** Called once, with one sentence. */
  onOverdue: (message: string) => void;
}

// A step ten times as long as the longest of late is no slow step any more.
const FACTOR = 10;
const REMEMBERED = 20;
const TICK_MS = 250;
// A worker that was itself stopped, or starved, has not listened: that time is not the trainer's silence.
const LONGEST_TICK_MS = 2000;

export class ProgressDeadline {
  private readonly options: ProgressDeadlineOptions;
  private phase = 'load';
  private step = 0;
  private silent_ms = 0;
  /** How long the last steps of each phase took. */
  private readonly gaps_ms = new Map<string, number[]>();
  private ticked = performance.now();
  private readonly timer: NodeJS.Timeout;

  constructor(options: ProgressDeadlineOptions) {
    this.options = options;
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** Seconds of silence that are allowed now. */
  get allowed_s(): number {
    const { floor_s, load_s } = this.options;
    const gaps = this.gaps_ms.get(this.phase) ?? [];
    if (gaps.length === 0) return Math.max(floor_s, load_s);
    return Math.max(floor_s, (FACTOR * Math.max(...gaps)) / 1000);
  }

  /** The trainer said how far it is. */
  heard(phase: string, step: number): void {
    // What comes right after a save is a step like any other; what comes after loading is not.
    if ((phase === this.phase || this.phase === 'save') && step !== this.step) {
      this.gaps_ms.set(phase, [...(this.gaps_ms.get(phase) ?? []), this.silent_ms].slice(-REMEMBERED));
    }
    Object.assign(this, { phase, step, silent_ms: 0 });
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const now = performance.now();
    const passed = Math.min(LONGEST_TICK_MS, now - this.ticked);
    this.ticked = now;
    this.silent_ms = this.options.isWaiting() ? 0 : this.silent_ms + passed;
    if (this.silent_ms <= this.allowed_s * 1000) return;
    this.stop();
    const [silent, allowed] = [this.silent_ms / 1000, this.allowed_s].map((seconds) => seconds.toFixed(0));
    this.options.onOverdue(
      `no progress for ${silent} s in phase ${this.phase} at step ${this.step} (allowed ${allowed} s)`,
    );
  }
}
