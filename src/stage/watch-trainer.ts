import { setTimeout as sleep } from 'node:timers/promises';
import type { LimitsSpec } from '../contracts/spec/limits.ts';
import { failpoint } from '../failpoints.ts';
import type { Child, ChildExit } from '../process/start-child.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { readStop } from '../run-directory/stop.ts';
import type { LiveView } from './live-view.ts';
import { ProgressDeadline } from './progress-deadline.ts';
import type { TrainerEvents } from './trainer-events.ts';

export interface WatchedTrainer {
  child: Child;
  paths: RunPaths;
  stage: string;
  run: {
    /** Aborted when the attempt has to end. */
    signal: AbortSignal;
    /** How long the trainer may take to commit and end once the signal is aborted. */
    grace_ms: () => number;
    /** Reservation whose stop request ends this attempt. */
    reservation: string;
  };
  live: LiveView;
  limits: LimitsSpec;
  /** Rejects when the gateway beside the trainer cannot be kept alive. */
  gone: Promise<never> | undefined;
  events: TrainerEvents;
}

/** How a trainer ended, and what ended it. */
export type Ended =
  | { why: 'itself' | 'aborted'; exit: ChildExit }
  | { why: 'stop'; reason: string; exit: ChildExit }
  | { why: 'hung'; message: string; exit: ChildExit }
  | { why: 'gateway'; error: unknown; exit: ChildExit };

const STOP_POLL_MS = 250;
// A commit at the next step boundary, out of the 30 s that a notice leaves.
const STOP_GRACE_MS = 20_000;

/** Waits for the trainer's end, and brings it about: on abort, on a stop that was asked for, when it hangs, without a gateway. */
export async function watchTrainer(watched: WatchedTrainer): Promise<Ended> {
  const { child, run, live, limits, gone, events } = watched;
  let why: { why: Ended['why']; reason?: string; message?: string; error?: unknown } = { why: 'itself' };
  // The first reason counts: what follows is the consequence.
  const because = (reason: typeof why) => {
    if (why.why === 'itself') why = reason;
  };
  // The caller reads how it ends from `exited`.
  const stop = (grace_ms: number) => void child.stop(grace_ms).catch(() => undefined);
  const abort = () => {
    because({ why: 'aborted' });
    stop(run.grace_ms());
  };
  run.signal.addEventListener('abort', abort, { once: true });
  if (run.signal.aborted) abort();
  gone?.catch((error: unknown) => {
    because({ why: 'gateway', error });
    stop(0);
  });
  const deadline = new ProgressDeadline({
    floor_s: limits.progress_floor_s,
    load_s: limits.load_timeout_s,
    isWaiting: () => live.isWaiting(),
    onOverdue: (message) => {
      const hung = { why: 'hung' as const, message };
      because(hung);
      const written = child.dumpStacks().catch(() => 0);
      void written.then((asked) => {
        if (asked > 0) hung.message += '; its stacks are in the log';
        stop(0);
      });
    },
  });
  events.onHeard((phase, step) => deadline.heard(phase, step));
  const over = new AbortController();
  void untilAskedToStop(watched, over.signal).then((reason) => {
    if (reason === null) return;
    because({ why: 'stop', reason });
    stop(failpoint('no-stop-grace') ? 0 : STOP_GRACE_MS);
  });
  try {
    const exit = await child.exited;
    await child.stop(0);
    return { ...why, exit } as Ended;
  } finally {
    over.abort();
    deadline.stop();
    run.signal.removeEventListener('abort', abort);
  }
}

/** The reason of a stop once one is asked for; null when the trainer has ended. */
async function untilAskedToStop({ paths, stage, run }: WatchedTrainer, over: AbortSignal): Promise<string | null> {
  while (!over.aborted) {
    const stop = await readStop(paths, stage, run.reservation);
    if (stop) return stop.reason;
    await sleep(STOP_POLL_MS, undefined, { signal: over }).catch(() => undefined);
  }
  return null;
}
