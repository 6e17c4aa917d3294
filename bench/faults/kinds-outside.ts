import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { ALL, type FaultKind, TRAINED } from './fault-kind.ts';
import type { Field } from './field.ts';
import { isAlive } from './processes.ts';
import { HEARTBEAT_S } from './small-spec.ts';

/** What gavel depends on goes away: the judge, the Temporal server or the way to it, the worker that runs the workflows. */

/** Shuts the judge's door while calls are in flight. */
async function shutInFlight(field: Field, detail: string) {
  const busy = await field.secondsUntil(15, () => field.door.in_flight > 0);
  field.strikes(detail);
  const calls = field.door.in_flight;
  await field.door.shut();
  if (busy !== null && calls > 0) field.reached('judge outage during a step', `${calls} calls were in flight`);
}

async function judgeOutage(field: Field) {
  const seconds = field.random.between(2, 8);
  const { port } = field.door;
  await shutInFlight(field, `the judge is away for ${seconds.toFixed(1)} s`);
  await sleep(seconds * 1000);
  await field.door.open(port);
  return {};
}

async function judgeMoves(field: Field) {
  await shutInFlight(field, 'the judge goes away and comes back at another address');
  await sleep(field.random.between(500, 3000));
  const url = await field.door.open();
  const cli = join(field.cluster.package_root, 'src/cli.ts');
  await execa(process.execPath, ['--no-warnings', cli, 'judge', field.run, '--url', url], {
    env: { GAVEL_ROOT: field.cluster.root },
  });
  return {};
}

async function serverRestart(field: Field) {
  const away_s = field.random.pick([5, 5, 20, 20, 20, 120]);
  field.strikes(`SIGKILL to the Temporal server, away for ${away_s} s`);
  field.cluster.signal('server', 'SIGKILL', { held: true });
  await sleep(away_s * 1000);
  const from = field.log.events.length;
  const { stage } = field;
  const height = field.heights(stage).step;
  field.cluster.release('server');
  field.reached('server restart', `away for ${away_s} s`);
  if (away_s < 20) return {};
  // A short absence restarts nothing; a longer one may.
  await field.log.next('epoch', () => true, {
    from,
    timeout_ms: 60_000,
    // The attempt of before may have gone on, and ended the stage.
    unless: () =>
      field.log.of('result').some((result) => result.stage === stage) || field.heights(stage).step > height + 6,
  });
  return {};
}

async function workflowWorker(field: Field) {
  field.strikes('SIGKILL to the worker that runs the workflows');
  field.cluster.signal('workflows', 'SIGKILL');
  return {};
}

/**
 * A partition: the worker that holds the stage cannot reach the server, for longer than its heartbeat may be away. It, its gateway
 * and its trainer go on, while the other node takes the stage over.
 */
async function cutOff(field: Field) {
  const { node, stage } = field;
  const pid = await field.untilTrainer();
  const seconds = HEARTBEAT_S + field.random.between(5, 15);
  const how = field.random.pick(['broken', 'silent'] as const);
  const from = field.log.events.length;
  const fault = field.strikes(
    `node ${node} is cut off from the server for ${seconds.toFixed(0)} s, connections ${how}`,
  );
  field.cluster.cut(node, how);
  const long_enough = sleep(seconds * 1000);
  try {
    // Its trainer may still end the stage: until somebody has taken over, nothing is wrong with that.
    const ended = () => field.log.of('result').some((result) => result.stage === stage && result.at > fault.at);
    const options = { from, timeout_ms: 60_000, unless: ended };
    const taken = await field.log.next('epoch', (epoch) => epoch.stage === stage && epoch.at > fault.at, options);
    const gone = field.secondsUntil(120, () => !isAlive(pid));
    await long_enough;
    field.cluster.heal(node);
    if (!taken) {
      if (!ended())
        field.violated('a silent worker is taken over', `nobody had done so 60 s after node ${node} was cut off`);
      return {};
    }
    if (taken.node !== node) field.reached('move to the other node', `${stage} went on at node ${taken.node}`);
    const after_heal = await field.secondsUntil(30, () => !isAlive(pid));
    const zombie_gone = after_heal === null ? null : await gone;
    if (after_heal === null || zombie_gone === null) {
      field.violated('a zombie dies', `trainer ${pid} lived 30 s after node ${node} could reach the server again`);
      return {};
    }
    return { zombie_gone_after_takeover: zombie_gone, zombie_gone_after_heal: after_heal };
  } finally {
    field.cluster.heal(node);
  }
}

export const outsideFaults: readonly FaultKind[] = [
  { kind: 'judge away', scenarios: ['outside', 'whole'], stages: ['grpo'], strike: judgeOutage },
  { kind: 'judge moves', scenarios: ['outside', 'whole'], stages: ['grpo'], strike: judgeMoves },
  { kind: 'Temporal server killed', scenarios: ALL, stages: TRAINED, strike: serverRestart },
  {
    kind: 'worker cut off from the server',
    scenarios: ['outside', 'managed'],
    stages: ['grpo'],
    // Until it is taken over, the trainer goes on for more than a heartbeat timeout.
    steps: 30,
    strike: cutOff,
  },
  { kind: 'workflow worker killed', scenarios: ALL, stages: TRAINED, strike: workflowWorker },
];
