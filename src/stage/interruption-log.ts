import type { Interruption, InterruptionTotals } from '../contracts/interruption.ts';
import { messageOf } from '../failures.ts';
import { appendLine } from '../run-directory/files.ts';
import { eachOnce, readInterruptions, totalsOf } from '../run-directory/interruptions.ts';

/** Writes the run's interruptions down, and tells the workflow what they add up to: the file is the only list. */
export class InterruptionLog {
  private readonly path: string;
  private readonly stage: string;
  private readonly tellWorkflow: (totals: InterruptionTotals) => void;
  /** What a full disk kept out of the file; the next line takes it along. */
  private unwritten: Interruption[] = [];

  constructor(path: string, stage: string, tellWorkflow: (totals: InterruptionTotals) => void) {
    this.path = path;
    this.stage = stage;
    this.tellWorkflow = tellWorkflow;
  }

  /** Writes one interruption. What cannot be written must not end a training. */
  async report(interruption: Interruption): Promise<void> {
    await this.append([interruption]);
    this.tellWorkflow(totalsOf(await this.all()));
  }

  /** Work is committed again: closes what is open of this stage, whichever process reported it. */
  async committed(): Promise<void> {
    const open = (await this.all()).filter(
      ({ stage, seconds_to_next_commit }) => stage === this.stage && seconds_to_next_commit === null,
    );
    if (open.length === 0) return;
    const now = Date.now();
    await this.append(open.map((one) => ({ ...one, seconds_to_next_commit: secondsBetween(one.at, now) })));
    this.tellWorkflow(totalsOf(await this.all()));
  }

  /** Everything that is known, written or not. */
  async all(): Promise<Interruption[]> {
    return eachOnce([...(await readInterruptions(this.path).catch(() => [])), ...this.unwritten]);
  }

  private async append(interruptions: Interruption[]): Promise<void> {
    const lines = [...this.unwritten, ...interruptions];
    this.unwritten = [];
    for (const [index, line] of lines.entries()) {
      try {
        await appendLine(this.path, line);
      } catch (error) {
        console.error(`interruption not written: ${messageOf(error)}`);
        this.unwritten = lines.slice(index);
        return;
      }
    }
  }
}

const secondsBetween = (at: string, now: number) => Math.max(0, Math.round((now - Date.parse(at)) / 100) / 10);
