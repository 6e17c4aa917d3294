import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultContext } from '../run/fault-context.ts';
import { ALL, type FaultKind, TRAINED } from './fault-kind.ts';

/** The trainer is killed, and the attempt that takes its place is struck before it has committed anything. */
async function twice(context: FaultContext) {
  const pid = await context.untilTrainer();
  const second = context.random.pick(['trainer', 'worker', 'trainer and worker'] as const);
  const { stage } = context;
  const fault = context.strikes(`SIGKILL to trainer ${pid}, then to the next ${second} before a commit`);
  const from = context.log.events.length;
  process.kill(pid, 'SIGKILL');
  const next = await context.log.next('trainer', ({ epoch }) => epoch > fault.epoch, { from, timeout_ms: 60_000 });
  if (!next) throw new Error('no next trainer came');
  // It imports torch for seconds before its first step.
  await sleep(context.random.between(0, 3000));
  if (context.log.of('commit').some((commit) => commit.epoch === next.epoch && commit.stage === stage)) {
    throw new Error('the next attempt had committed already');
  }
  if (second !== 'worker') process.kill(next.pid, 'SIGKILL');
  if (second !== 'trainer') context.cluster.signal(context.node, 'SIGKILL');
  return {};
}

export const repeatedFaults: readonly FaultKind[] = [
  { kind: 'two faults before a commit', scenarios: ALL, stages: TRAINED, strike: twice },
];
