import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { ALL, type FaultKind, TRAINED } from './fault-kind.ts';
import type { Field } from './field.ts';

/** What gavel depends on goes away: the judge, the Temporal server, the worker that runs the workflows. */

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

export const outsideFaults: readonly FaultKind[] = [
  { kind: 'judge away', scenarios: ['outside', 'whole'], stages: ['grpo'], strike: judgeOutage },
  { kind: 'judge moves', scenarios: ['outside', 'whole'], stages: ['grpo'], strike: judgeMoves },
  { kind: 'Temporal server killed', scenarios: ALL, stages: TRAINED, strike: serverRestart },
  { kind: 'workflow worker killed', scenarios: ALL, stages: TRAINED, strike: workflowWorker },
];
