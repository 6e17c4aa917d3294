import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '../observe/processes.ts';
import type { FaultContext } from '../run/fault-context.ts';
import { resume } from './damage-files.ts';
import { ALL, type FaultKind, TRAINED } from './fault-kind.ts';

/** People and schedulers: cancel, pause, a notice that a node will be taken away. */

async function cancelAndResume(context: FaultContext) {
  await context.untilTrainer();
  const children = context.children().map(({ pid }) => pid);
  const handle = await context.handle();
  context.strikes('the run is cancelled, and resumed once it has ended');
  await handle.cancel();
  const children_gone = await context.secondsUntil(
    30,
    () => !children.some(isAlive) && context.children().length === 0,
  );
  if (children_gone === null || children_gone > 5) {
    context.violated('cancel ends every child within 5 s', `it took ${children_gone?.toFixed(1) ?? 'more than 30'} s`);
  }
  await handle.result().catch(() => undefined);
  const { status } = await handle.describe();
  if (status.name !== 'CANCELLED') context.violated('a cancelled run shows as cancelled', `it shows as ${status.name}`);
  await resume(context);
  return children_gone === null ? {} : { children_gone };
}

async function pauseAndResume(context: FaultContext) {
  await context.untilTrainer();
  const handle = await context.handle();
  context.strikes('the run is paused, and resumed a second later');
  const began = performance.now();
  await handle.executeUpdate('pause');
  const paused = (performance.now() - began) / 1000;
  if (context.children().length > 0) context.violated('a paused run holds nothing', 'processes of the run are left');
  await sleep(1000);
  await handle.executeUpdate('resume');
  return { paused };
}

async function preemptionNotice(context: FaultContext) {
  await context.untilTrainer();
  const { node } = context;
  const handle = await context.handle();
  const fault = context.strikes(`the signal preemptionNotice for node ${node}`);
  const from = context.log.events.length;
  await handle.signal('preemptionNotice', { node, seconds: 20 });
  const next = await context.log.next('epoch', ({ at }) => at > fault.at, { from, timeout_ms: 60_000 });
  if (next && next.node !== node)
    context.reached('move to the other node', `${next.stage} went on at node ${next.node}`);
  return {};
}

export const personFaults: readonly FaultKind[] = [
  { kind: 'run cancelled and resumed', scenarios: ALL, stages: TRAINED, strike: cancelAndResume },
  { kind: 'run paused and resumed', scenarios: ALL, stages: TRAINED, strike: pauseAndResume },
  { kind: 'preemptionNotice', scenarios: ALL, stages: TRAINED, strike: preemptionNotice },
];
