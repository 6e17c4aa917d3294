import type { Preemption } from '../contracts/status.ts';
import { appendLine } from '../run-directory/files.ts';

/** Tells of each preemption when it is found, and again, with the seconds that it cost, once work is committed. */
export class Losses {
  private open: Preemption[] = [];
  private readonly path: string;
  private readonly tellWorkflow: (preemption: Preemption) => void;

  constructor(path: string, tellWorkflow: (preemption: Preemption) => void) {
    this.path = path;
    this.tellWorkflow = tellWorkflow;
  }

  async report(preemption: Preemption): Promise<void> {
    this.open.push(preemption);
    await this.tell(preemption);
  }

  async committed(): Promise<void> {
    const closed = this.open;
    this.open = [];
    for (const preemption of closed) {
      const seconds = (Date.now() - Date.parse(preemption.at)) / 1000;
      await this.tell({ ...preemption, seconds_to_next_commit: Math.round(seconds * 10) / 10 });
    }
  }

  private async tell(preemption: Preemption): Promise<void> {
    this.tellWorkflow(preemption);
    await appendLine(this.path, preemption);
  }
}
