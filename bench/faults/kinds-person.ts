import { setTimeout as sleep } from 'node:timers/promises';
import { ALL, type FaultKind, TRAINED } from './fault-kind.ts';
import type { Field } from './field.ts';
import { resume } from './kinds-damage.ts';
import { isAlive } from './processes.ts';

/** People and schedulers: cancel, pause, a notice that a node will be taken away. */

async function cancelAndResume(field: Field) {
  await field.untilTrainer();
  const children = field.children().map(({ pid }) => pid);
  const handle = await field.handle();
  field.strikes('the run is cancelled, and resumed once it has ended');
  await handle.cancel();
  const children_gone = await field.secondsUntil(30, () => !children.some(isAlive) && field.children().length === 0);
  if (children_gone === null || children_gone > 5) {
    field.violated('cancel ends every child within 5 s', `it took ${children_gone?.toFixed(1) ?? 'more than 30'} s`);
  }
  await handle.result().catch(() => undefined);
  const { status } = await handle.describe();
  if (status.name !== 'CANCELLED') field.violated('a cancelled run shows as cancelled', `it shows as ${status.name}`);
  await resume(field);
  return children_gone === null ? {} : { children_gone };
}

async function pauseAndResume(field: Field) {
  await field.untilTrainer();
  const handle = await field.handle();
  field.strikes('the run is paused, and resumed a second later');
  const began = performance.now();
  await handle.executeUpdate('pause');
  const paused = (performance.now() - began) / 1000;
  if (field.children().length > 0) field.violated('a paused run holds nothing', 'processes of the run are left');
  await sleep(1000);
  await handle.executeUpdate('resume');
  return { paused };
}

async function preemptionNotice(field: Field) {
  await field.untilTrainer();
  const { node } = field;
  const handle = await field.handle();
  const fault = field.strikes(`the signal preemptionNotice for node ${node}`);
  const from = field.log.events.length;
  await handle.signal('preemptionNotice', { node, seconds: 20 });
  const next = await field.log.next('epoch', ({ at }) => at > fault.at, { from, timeout_ms: 60_000 });
  if (next && next.node !== node) field.reached('move to the other node', `${next.stage} went on at node ${next.node}`);
  return {};
}

export const personFaults: readonly FaultKind[] = [
  { kind: 'run cancelled and resumed', scenarios: ALL, stages: TRAINED, strike: cancelAndResume },
  { kind: 'run paused and resumed', scenarios: ALL, stages: TRAINED, strike: pauseAndResume },
  { kind: 'preemptionNotice', scenarios: ALL, stages: TRAINED, strike: preemptionNotice },
];
