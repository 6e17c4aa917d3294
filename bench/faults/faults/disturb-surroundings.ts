import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { isAlive } from '../observe/processes.ts';
import type { FaultContext } from '../run/fault-context.ts';
import { HEARTBEAT_S } from '../run/small-spec.ts';
import { ALL, type FaultKind, TRAINED } from './fault-kind.ts';

/** What gavel depends on goes away: the judge, the Temporal server or the way to it, the worker that runs the workflows. */

/** Shuts the judge's proxy while calls are in flight. */
async function shutInFlight(context: FaultContext, detail: string) {
  const busy = await context.secondsUntil(15, () => context.judge_proxy.in_flight > 0);
  context.strikes(detail);
  const calls = context.judge_proxy.in_flight;
  await context.judge_proxy.shut();
  if (busy !== null && calls > 0) context.reached('judge outage during a step', `${calls} calls were in flight`);
}

async function judgeOutage(context: FaultContext) {
  const seconds = context.random.between(2, 8);
  const { port } = context.judge_proxy;
  await shutInFlight(context, `the judge is away for ${seconds.toFixed(1)} s`);
  await sleep(seconds * 1000);
  await context.judge_proxy.open(port);
  return {};
}

async function judgeMoves(context: FaultContext) {
  await shutInFlight(context, 'the judge goes away and comes back at another address');
  await sleep(context.random.between(500, 3000));
  const url = await context.judge_proxy.open();
  const cli = join(context.cluster.package_root, 'src/cli.ts');
  await execa(process.execPath, ['--no-warnings', cli, 'judge', context.run, '--url', url], {
    env: { GAVEL_ROOT: context.cluster.root },
  });
  return {};
}

async function serverRestart(context: FaultContext) {
  const away_s = context.random.pick([5, 5, 20, 20, 20, 120]);
  context.strikes(`SIGKILL to the Temporal server, away for ${away_s} s`);
  context.cluster.signal('server', 'SIGKILL', { held: true });
  await sleep(away_s * 1000);
  const from = context.log.events.length;
  const { stage } = context;
  const height = context.heights(stage).step;
  context.cluster.release('server');
  context.reached('server restart', `away for ${away_s} s`);
  if (away_s < 20) return {};
  // A short absence restarts nothing; a longer one may.
  await context.log.next('epoch', () => true, {
    from,
    timeout_ms: 60_000,
    // The earlier attempt may have continued and ended the stage.
    unless: () =>
      context.log.of('result').some((result) => result.stage === stage) || context.heights(stage).step > height + 6,
  });
  return {};
}

async function workflowWorker(context: FaultContext) {
  context.strikes('SIGKILL to the worker that runs the workflows');
  context.cluster.signal('workflows', 'SIGKILL');
  return {};
}

/**
 * A partition: the worker that holds the stage cannot reach the server, for longer than its heartbeat may be away. It, its gateway
 * and its trainer go on, while the other node takes the stage over.
 */
async function cutOff(context: FaultContext) {
  const { node, stage } = context;
  const pid = await context.untilTrainer();
  const seconds = HEARTBEAT_S + context.random.between(5, 15);
  const how = context.random.pick(['broken', 'silent'] as const);
  const from = context.log.events.length;
  const fault = context.strikes(
    `node ${node} is cut off from the server for ${seconds.toFixed(0)} s, connections ${how}`,
  );
  context.cluster.cut(node, how);
  const long_enough = sleep(seconds * 1000);
  try {
    // Its trainer may still end the stage. That is right until another attempt has superseded it.
    const ended = () => context.log.of('result').some((result) => result.stage === stage && result.at > fault.at);
    const options = { from, timeout_ms: 60_000, unless: ended };
    const taken = await context.log.next('epoch', (epoch) => epoch.stage === stage && epoch.at > fault.at, options);
    const gone = context.secondsUntil(120, () => !isAlive(pid));
    await long_enough;
    context.cluster.heal(node);
    if (!taken) {
      if (!ended())
        context.violated('a silent worker is taken over', `no attempt had done so 60 s after node ${node} was cut off`);
      return {};
    }
    if (taken.node !== node) context.reached('move to the other node', `${stage} went on at node ${taken.node}`);
    const after_heal = await context.secondsUntil(30, () => !isAlive(pid));
    const zombie_gone = after_heal === null ? null : await gone;
    if (after_heal === null || zombie_gone === null) {
      context.violated('a zombie dies', `trainer ${pid} lived 30 s after node ${node} could reach the server again`);
      return {};
    }
    return { zombie_gone_after_takeover: zombie_gone, zombie_gone_after_heal: after_heal };
  } finally {
    context.cluster.heal(node);
  }
}

export const outsideFaults: readonly FaultKind[] = [
  { kind: 'judge away', scenarios: ['outside', 'whole'], stages: ['grpo'], strike: judgeOutage },
  { kind: 'judge moves', scenarios: ['outside', 'whole'], stages: ['grpo'], strike: judgeMoves },
  // The training goes on meanwhile.
  { kind: 'Temporal server killed', scenarios: ALL, stages: TRAINED, steps: 30, strike: serverRestart },
  {
    kind: 'worker cut off from the server',
    scenarios: ['outside', 'managed', 'served'],
    stages: ['grpo'],
    // Until it is taken over, the trainer goes on for more than a heartbeat timeout.
    steps: 30,
    strike: cutOff,
  },
  { kind: 'workflow worker killed', scenarios: ALL, stages: TRAINED, strike: workflowWorker },
];
