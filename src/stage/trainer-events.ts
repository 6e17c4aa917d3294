import type { Alarm } from '../contracts/alarm.ts';
import { ProgressLine } from '../contracts/stage.ts';
import type { ProgressSignal } from '../contracts/status.ts';
import { appendLine } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import type { InterruptionLog } from './interruption-log.ts';
import type { LiveView } from './live-view.ts';

export interface TrainerEventsOptions {
  paths: RunPaths;
  stage: string;
  epoch: number;
  live: LiveView;
  interruptions: InterruptionLog;
  onCommit: (progress: ProgressSignal) => void;
  onAlarm: (alarm: Alarm) => void;
}

export type TrainerEvents = ReturnType<typeof trainerEvents>;

/** Turns a trainer's progress lines into heartbeats, lines of the report's files and signals. */
export function trainerEvents({ paths, stage, epoch, live, interruptions, onCommit, onAlarm }: TrainerEventsOptions) {
  // One after the other: lines of metrics.jsonl keep the order of the steps.
  let writes: Promise<unknown> = Promise.resolve();
  // A stage must not fail because figures of the report cannot be written (a full disk).
  const write = (job: () => Promise<unknown>) => {
    writes = writes
      .then(job)
      .catch((error) => console.error(`figures of ${stage} not written: ${(error as Error).message}`));
  };

  let heard: (phase: string, step: number) => void = () => undefined;
  const take = (event: unknown): void => {
    const parsed = ProgressLine.safeParse(event);
    if (!parsed.success) return;
    const line = parsed.data;
    if (line.event === 'progress') heard(line.phase, line.step);
    // A commit or a resume is a sign of life, but no step.
    else heard(live.beat.phase, live.beat.step);
    if (line.event === 'waiting') {
      live.update({ waiting: { for: line.for, seconds: line.seconds } });
      return;
    }
    if (line.event === 'resumed') {
      live.update({ checkpoint: line.checkpoint, step: line.step });
      return;
    }
    if (line.event === 'alarm') {
      const { alarm, step, message } = line;
      const raised: Alarm = { at: new Date().toISOString(), stage, epoch, step, alarm, message };
      write(() => appendLine(paths.report.alarms, raised));
      onAlarm(raised);
      return;
    }
    const metrics = { ...live.beat.metrics, ...line.metrics };
    if (line.event === 'progress') {
      const { phase, step, total } = line;
      live.update({ phase, step, total, metrics, waiting: null });
      if (phase !== 'train' || Object.keys(line.metrics).length === 0) return;
      const at = new Date().toISOString();
      write(() => appendLine(paths.report.metrics, { stage, epoch, step, at, metrics: line.metrics }));
      return;
    }
    live.update({ checkpoint: line.checkpoint, metrics });
    write(() => interruptions.committed());
    onCommit({ stage, epoch, step: line.step, total: live.beat.total, checkpoint: line.checkpoint, metrics });
  };
  return {
    take,
    settled: () => writes,
    /** Sets the listener for signs of life. */
    onHeard: (listener: typeof heard) => {
      heard = listener;
    },
  };
}
