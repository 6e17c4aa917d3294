import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Role } from '../run/cluster.ts';
import type { FaultContext } from '../run/fault-context.ts';
import { ALL, type FaultKind, LEASING } from './fault-kind.ts';

/** Faults where nothing is trained: while the run is prepared, while a stage reserves GPUs, while the report is written. */

async function killPrepare(context: FaultContext, which: 'its process' | 'its worker') {
  const child = await context.until('prepare to run', 90, () =>
    context.children().find(({ tag }) => tag?.endsWith('/prepare')),
  );
  // A worker that was killed a moment ago may leave it for a second.
  const node = child.tag?.split(':')[0] as Role;
  await sleep(context.random.between(0, 1500));
  context.strikes(`SIGKILL to prepare at node ${node}: ${which}`);
  if (which === 'its worker') context.cluster.signal(node, 'SIGKILL');
  else process.kill(child.pid, 'SIGKILL');
  const { dir, data } = context.paths;
  if (existsSync(dir) && ![data.train, data.eval, data.audit].every(existsSync)) {
    context.violated('a run directory is there whole or not at all', `${dir} has no prompts`);
  }
  return {};
}

/** The worker of the stage is killed, and the next one as soon as it has leased for the stage's new reservation. */
async function killInReservation(context: FaultContext) {
  await context.untilTrainer();
  const { node } = context;
  const other: Role = node === 'a' ? 'b' : 'a';
  context.strikes(`SIGKILL to the worker of node ${node}, and to that of node ${other} once it has leased`);
  context.cluster.signal(node, 'SIGKILL', { held: true });
  const folder = join(context.cluster.root, '.gavel/leases', other);
  try {
    const leased = await context.until('a lease at the other node', 60, () => hasLease(folder));
    if (leased) context.cluster.signal(other, 'SIGKILL');
  } finally {
    context.cluster.release(node);
  }
  return {};
}

const hasLease = (folder: string) => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.json'));

/** Both workers are killed while the report is being written. */
async function killInReport(context: FaultContext) {
  const handle = await context.handle();
  for (const until = Date.now() + 240_000; ; ) {
    const { raw, status } = await handle.describe();
    const before = context.log.of('fault').findLast(({ stage }) => stage === 'report')?.at ?? 0;
    // An attempt that was struck already still shows as pending until its silence is noticed.
    const writes = raw.pendingActivities?.some(({ activityType, lastStartedTime }) => {
      return activityType?.name === 'writeReport' && Number(lastStartedTime?.seconds ?? 0) * 1000 > before;
    });
    if (writes) break;
    if (status.name !== 'RUNNING' || Date.now() > until) throw new Error('the report was not seen being written');
    await sleep(20);
  }
  context.strikes('SIGKILL to both workers while the report is written');
  for (const node of ['a', 'b'] as const) context.cluster.signal(node, 'SIGKILL');
  return {};
}

export const aroundTrainingFaults: readonly FaultKind[] = [
  {
    kind: 'prepare killed',
    scenarios: ALL,
    stages: ['prepare'],
    strike: (context) => killPrepare(context, 'its process'),
  },
  {
    kind: 'worker killed in prepare',
    scenarios: ALL,
    stages: ['prepare'],
    strike: (context) => killPrepare(context, 'its worker'),
  },
  { kind: 'worker killed in a reservation', scenarios: LEASING, stages: ['grpo', 'sft'], strike: killInReservation },
  { kind: 'worker killed in the report', scenarios: ALL, stages: ['report'], strike: killInReport },
];
