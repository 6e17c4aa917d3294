import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import type { RunStatus } from '../../src/contracts/status.ts';
import { failure } from '../../src/failures.ts';
import { knownRun, queues, spec, summary } from './environment.ts';

/** A run whose GRPO goes on until somebody ends it, and what its activities were asked. */

/** A node whose stage runs until it is asked to stop, told to cancel, or `finish` is called. */
export function aRun() {
  const reservations: { avoid: string[]; reservation: string }[] = [];
  const released: string[] = [];
  const asked: string[] = [];
  let attempts = 0;
  let stop: ((reason: string) => void) | null = null;
  let finish: (() => void) | null = null;
  const activities = {
    readRun: async () => knownRun(outside),
    prepareRun: async ({ spec: given }: { spec: object }) => knownRun(given),
    reserveNode: async ({ avoid, reservation }: { avoid: string[]; reservation: string }) => {
      reservations.push({ avoid, reservation });
      return { node: 'a', task_queue: queues.node, gpus: [] };
    },
    releaseNode: async ({ reservation }: { reservation: string }) => {
      released.push(reservation);
    },
    askToStop: async ({ reservation, reason }: { reservation: string; reason: string }) => {
      asked.push(reservation);
      stop?.(reason);
    },
    serveModel: async () => {
      await untilCancelled();
    },
    trainGrpo: async ({ reservation }: { reservation: string }) => {
      // As on the disk, a request that came before the attempt has begun is there when it begins.
      if (asked.includes(reservation)) throw failure('StopRequested', 'asked before it began');
      attempts += 1;
      const stopped = new Promise<never>((_, reject) => {
        stop = (reason) => reject(failure('StopRequested', reason));
      });
      const done = new Promise<void>((resolve) => {
        finish = resolve;
      });
      await beatingUntil(Promise.race([stopped, done]));
      return summary({ reward: 0.5 });
    },
    trainSft: async () => summary(),
    auditGrader: async () => summary(),
    writeReport: async () => ({
      run: 'r',
      verdict: null,
      report: 'r',
      policy_gain: null,
      quadratic_weighted_kappa: null,
    }),
  };
  return {
    activities,
    reservations,
    released,
    asked,
    attempts: () => attempts,
    finish: () => finish?.(),
  };
}

/** Waits for `work`, sends heartbeats meanwhile, and ends where the activity is cancelled. */
export async function beatingUntil<T>(work: Promise<T>): Promise<T> {
  const context = Context.current();
  const beating = setInterval(() => context.heartbeat(), 100);
  return Promise.race([work, context.cancelled]).finally(() => clearInterval(beating)) as Promise<T>;
}

/** Beats like a long activity: a cancellation comes with the answer to a heartbeat. */
export const untilCancelled = (): Promise<never> => beatingUntil(new Promise<never>(() => undefined));

export const outside = { ...spec, judge: { ...spec.judge, engine: 'openai', base_url: 'http://127.0.0.1:9/v1' } };

/** Waits until `look` says yes; throws after two minutes. */
export async function until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await look()); tries += 1) {
    if (tries > 1200) throw new Error(`waited 120 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What the run's status says of GRPO. */
export const stateOf = async (handle: WorkflowHandle) =>
  ((await handle.query('status')) as RunStatus).stages.grpo?.state;
