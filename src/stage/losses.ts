import type { Preemption } from '../contracts/status.ts';
import { appendLine } from '../run-directory/files.ts';
import { readPreemptions } from '../run-directory/preemptions.ts';

/** Tells the workflow and the file of preemptions. What cannot be written (a full disk) must not end a training. */
export class Losses {
  private readonly path: string;
  private readonly stage: string;
  private readonly tellWorkflow: (preemption: Preemption) => void;

  constructor(path: string, stage: string, tellWorkflow: (preemption: Preemption) => void) {
    this.path = path;
    this.stage = stage;
    this.tellWorkflow = tellWorkflow;
  }

  async report(preemption: Preemption): Promise<void> {
    this.tellWorkflow(preemption);
    await this.append(preemption);
  }

  /** Work is committed again: closes what is open of this stage, whichever process reported it. */
  async committed(): Promise<void> {
    const all = await readPreemptions(this.path).catch(() => null);
    for (const preemption of all ?? []) {
      if (preemption.stage !== this.stage || preemption.seconds_to_next_commit !== null) continue;
      const seconds = Math.max(0, (Date.now() - Date.parse(preemption.at)) / 1000);
      await this.report({ ...preemption, seconds_to_next_commit: Math.round(seconds * 10) / 10 });
    }
  }

  private async append(preemption: Preemption): Promise<void> {
    await appendLine(this.path, preemption).catch((error: Error) =>
      console.error(`preemption not written: ${error.message}`),
    );
  }
}
