import type { Logged } from '../observe/event-log.ts';
import { SAVE_EVERY } from '../run/small-spec.ts';

/** What each fault cost, computed from the event log alone. */

export interface Cost {
  seed: number;
  kind: string;
  stage: string;
  steps_lost: number;
  /** null where the judge is gavel's own vLLM, whose requests are not counted. */
  asked_again: number | null;
  /** Seconds from the fault to the next epoch, to its trainer, to the first new committed step; null where there was none. */
  to_epoch: number | null;
  to_trainer: number | null;
  to_commit: number | null;
  /** Seconds of steps that ended up in the final chain, and of all time, from this fault to the next or the stage's end. */
  effective: number;
  window: number;
  /** Figures that the fault itself measured, by name. */
  measured: Record<string, number>;
}

export function costsOf(seed: number, events: readonly Logged[], chain: ReadonlySet<string>): Cost[] {
  const counted = events.some((event) => event.event === 'judge_call');
  const faults = events.filter((event) => event.event === 'fault');
  return faults.map((fault) => {
    const at = events.indexOf(fault);
    const following = faults.find((other) => events.indexOf(other) > at);
    const end = following ? events.indexOf(following) : events.length;
    const window = events.slice(at + 1, end);
    const epochs = window.filter((event) => event.event === 'epoch' && event.stage === fault.stage);
    const first = epochs[0]?.event === 'epoch' ? epochs[0] : null;
    const trainer = window.find(
      (event) => event.event === 'trainer' && event.stage === fault.stage && event.epoch > fault.epoch,
    );
    // Where the stage begins again, what the old attempt commits on its way out is no recovery.
    const from = first?.epoch ?? fault.epoch;
    const commit = window.find(
      (event) =>
        (event.event === 'commit' &&
          event.stage === fault.stage &&
          event.step > fault.committed &&
          event.epoch >= from) ||
        (event.event === 'result' && event.stage === fault.stage),
    );
    const until = commit ?? window.at(-1);
    const seconds = (event: { at: number } | null | undefined) => (event ? (event.at - fault.at) / 1000 : null);
    // A stage that is over does not train; its end closes the window.
    const over = window.find((event) => event.event === 'result' && event.stage === fault.stage);
    const last = over ?? following ?? window.at(-1) ?? fault;
    const healed = events.find((event) => event.event === 'healed' && event.id === fault.id);
    return {
      seed,
      kind: fault.kind,
      stage: fault.stage,
      steps_lost: Math.max(0, ...epochs.map((epoch) => lostAt(epoch, events))),
      asked_again: counted
        ? window.filter((event) => event.event === 'judge_call' && event.again && (!until || event.at <= until.at))
            .length
        : null,
      to_epoch: seconds(first),
      to_trainer: seconds(trainer),
      to_commit: seconds(commit),
      effective: window
        .filter((event) => event.event === 'step' && event.at <= last.at)
        .reduce((sum, event) => sum + (event.event === 'step' && counts(event, chain) ? event.seconds : 0), 0),
      window: (last.at - fault.at) / 1000,
      measured: { ...(healed?.event === 'healed' ? healed.seconds : {}), ...afterReturn(fault, window) },
    };
  });
}

/** Seconds from the server's return to the next attempt; nothing where it was away too briefly to need one. */
function afterReturn(fault: Logged, window: readonly Logged[]): { attempt_after_return?: number } {
  const away_s = fault.event === 'fault' ? Number(/away for (\d+) s/.exec(fault.detail)?.[1] ?? 0) : 0;
  const back = fault.at + 1000 * away_s;
  // Of whichever stage: a stage may have ended while the server was away.
  const first = window.find((event) => event.event === 'epoch' && event.at > back);
  return away_s >= 20 && first ? { attempt_after_return: (first.at - back) / 1000 } : {};
}

/** Steps that had been finished when an epoch began, above the one that it began from. */
export function lostAt(epoch: Logged, events: readonly Logged[]): number {
  if (epoch.event !== 'epoch') return 0;
  const before = events
    .slice(0, events.indexOf(epoch))
    .filter((event) => 'stage' in event && event.stage === epoch.stage);
  const last = before.findLast((event) => event.event === 'epoch');
  if (last?.event !== 'epoch') return 0;
  // Where the epoch before got to: what it began from, or the last step that it finished itself.
  const own = before.flatMap((event) =>
    (event.event === 'step' || event.event === 'commit') && event.epoch === last.epoch ? [event.step] : [],
  );
  return Math.max(0, Math.max(last.resumed_step, ...own) - epoch.resumed_step);
}

const counts = (event: { stage: string; epoch: number; step: number }, chain: ReadonlySet<string>) =>
  chain.has(`${event.stage} ${event.epoch} ${event.step}`);

/** The steps of the final chain as `stage epoch step`: each checkpoint stands for the steps since the one before. */
export function stepsOfChain(stage: string, chain: readonly { epoch: number; step: number }[]): Set<string> {
  const steps = new Set<string>();
  let before = 0;
  for (const { epoch, step } of chain) {
    for (let each = before + 1; each <= step; each += 1) steps.add(`${stage} ${epoch} ${each}`);
    before = step;
  }
  return steps;
}

const NOTHING_LOST = [
  'worker told to end (SIGTERM)',
  'preemptionNotice',
  'run paused and resumed',
  'judge away',
  'judge moves',
  'workflow worker killed',
  'gateway killed',
  'vLLM killed',
  'vLLM engine killed',
  'policy server killed',
  'policy engine killed',
  'policy server hangs',
  'judge rejects one completion (400)',
  'judge fails on one completion (500)',
  'judge says 429',
  'judge says 500',
  'judge answers garbage',
  'prepare killed',
  'worker killed in prepare',
  'worker killed in the report',
];

/** What says which checkpoint is the newest is damaged, or that checkpoint itself. */
const PARENT_COUNTS = ['newest checkpoint damaged', 'HEAD damaged'];

/** Steps that a kind of fault may cost: none, one interval, or two where a checkpoint itself is damaged. */
export function allowedLoss(kind: string): number {
  if (NOTHING_LOST.includes(kind)) return 0;
  return PARENT_COUNTS.includes(kind) ? 2 * SAVE_EVERY : SAVE_EVERY;
}

/** Faults that cost more steps than their kind may. */
export function tooMuchLost(costs: readonly Cost[]): { assertion: string; detail: string }[] {
  return costs
    .filter(({ kind, steps_lost }) => steps_lost > allowedLoss(kind))
    .map(({ kind, stage, steps_lost }) => ({
      assertion: 'no more steps are lost than is allowed',
      detail: `${kind} in ${stage}: ${steps_lost} steps lost, ${allowedLoss(kind)} allowed`,
    }));
}
