import { ProgressLine } from '../../contracts/stage.ts';
import { plainText } from '../../plain-text.ts';
import { duration } from '../summary.ts';
import type { TimeLeft } from './time-left.ts';

/** Shows how far an audit is, on standard error: a bar on a terminal, a line every few seconds elsewhere. */

const BAR = 24;
const LINE_EVERY_MS = 5000;
const PHASE = /^grade: (?<role>\w+), (?<mode>\w+)$/;

/** Why no row comes in. */
export interface Wait {
  for: string;
  seconds: number;
  reason: string;
}

export class GradingScreen {
  readonly #left: TimeLeft;
  readonly #out: NodeJS.WriteStream;
  readonly #now: () => number;
  #printed_at = Number.NEGATIVE_INFINITY;
  #doing = '';
  #wait: Wait | null = null;

  constructor(left: TimeLeft, out: NodeJS.WriteStream = process.stderr, now: () => number = Date.now) {
    this.#left = left;
    this.#out = out;
    this.#now = now;
  }

  /** A line that the audit's process printed. */
  onLine(line: string): void {
    const phase = phaseOf(line);
    if (phase === null) return;
    const pass = PHASE.exec(phase.name)?.groups as { role: string; mode: string } | undefined;
    if (pass) {
      this.#left.update(pass.role, pass.mode, { step: phase.step, at: this.#now() });
      const rate = this.#left.rate(pass.role, pass.mode);
      this.#doing = `${pass.role} ${pass.mode}${rate === null ? '' : `  ${perSecond(rate)}`}`;
    } else {
      this.#doing = plainText(phase.name);
    }
    this.#wait = null;
    this.#draw(pass !== undefined);
  }

  /** A model is away; null: it is back. */
  onWait(wait: Wait | null): void {
    this.#wait = wait;
    this.#draw(true);
  }

  end(): void {
    if (this.#out.isTTY) this.#out.write('\r\u001b[2K');
  }

  #draw(grading: boolean): void {
    const text = plainText(this.text(grading));
    if (this.#out.isTTY) {
      // A terminal that does not know its width says 0.
      this.#out.write(`\r\u001b[2K${text.slice(0, Math.max(20, (this.#out.columns || 100) - 1))}`);
    } else if (this.#now() - this.#printed_at >= LINE_EVERY_MS) {
      this.#printed_at = this.#now();
      this.#out.write(`${text}\n`);
    }
  }

  /** `██████░░░░  1,234/10,552  judge reasoned  31/s  about 5 min left`. */
  text(grading: boolean): string {
    if (this.#wait)
      return `Waiting for the ${this.#wait.for} (${this.#wait.seconds.toFixed(0)} s): ${this.#wait.reason}`;
    if (!grading) return this.#doing;
    const { step, total, seconds } = this.#left;
    const filled = total > 0 ? Math.floor((BAR * step) / total) : 0;
    const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR - filled)}`;
    const count = `${step.toLocaleString('en-US')}/${total.toLocaleString('en-US')}`;
    const left = seconds === null || step >= total ? '' : `about ${duration(seconds)} left`;
    return [bar, count, this.#doing, left].filter(Boolean).join('  ');
  }
}

const perSecond = (rate: number) => `${rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString('en-US')}/s`;

function phaseOf(line: string): { name: string; step: number } | null {
  try {
    const parsed = ProgressLine.parse(JSON.parse(line));
    return parsed.event === 'progress' ? { name: parsed.phase, step: parsed.step } : null;
  } catch {
    return null;
  }
}
