import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { messageOf } from '../../../src/failures.ts';
import { runPaths } from '../../../src/run-directory/paths.ts';
import { readRootId } from '../../../src/run-directory/root.ts';
import { taskQueue } from '../../../src/temporal/task-queues.ts';
import { leftovers } from '../check/leftover-resources.ts';
import { EventLog, type Stage } from '../observe/event-log.ts';
import { JournalCopies } from '../observe/journal-copies.ts';
import { Observer } from '../observe/observer.ts';
import { loadedAdapters, policyServers } from '../observe/policy-server.ts';
import { Cluster } from './cluster.ts';
import { FaultContext } from './fault-context.ts';
import { JudgeProxy } from './judge-proxy.ts';
import type { Plan } from './plan.ts';
import { randomOf } from './seeded-random.ts';
import { lastStage, smallSpec } from './small-spec.ts';

/** One seed: a pipeline is started, disturbed as planned, and waited for; what is left is what checker and witness look at. */

export interface DisturbedRun {
  plan: Plan;
  /** Folder of this seed: `root` (GAVEL_ROOT), `events.jsonl`, `saved`, `histories`. */
  folder: string;
  root: string;
  run: string;
  log: EventLog;
  injected: number;
  status: string;
  seconds: number;
}

export interface DisturbedRunOptions {
  plan: Plan;
  folder: string;
  package_root: string;
  /** Base URL of the real judge that seeds without a judge of their own share. */
  judge_url: string;
  say: (line: string) => void;
}

const RECOVERY_MS = 240_000;
// A step takes some tenths of a second, and an adapter stays loaded for two.
const ADAPTERS_MS = 300;

export async function runDisturbed({
  plan,
  folder,
  package_root,
  judge_url,
  say,
}: DisturbedRunOptions): Promise<DisturbedRun> {
  mkdirSync(folder, { recursive: true });
  const root = join(folder, 'root');
  mkdirSync(join(root, 'runs'), { recursive: true });
  const mounted = await mountSmall(join(root, 'runs'));
  const run = `faults-${plan.seed}`;
  const log = new EventLog(join(folder, 'events.jsonl'));
  const cluster = new Cluster(root, package_root);
  const judge_proxy = new JudgeProxy(judge_url, (body, again) => log.add({ event: 'judge_call', body, again }));
  const journals = new JournalCopies(runPaths(root, run).stage('grpo').epochs, journalsOfSeed(folder));
  const observer = new Observer(log, root, run, journals);
  const began = Date.now();
  let status = 'NEVER STARTED';
  let injected = 0;
  try {
    const url = await judge_proxy.open();
    await cluster.start();
    const client = await cluster.client();
    const spec = smallSpec({
      run,
      scenario: plan.scenario,
      seed: plan.seed,
      steps: plan.steps,
      judge_url: url,
      passes: plan.passes,
    });
    const kinds = plan.faults.map(({ fault }) => fault.kind);
    log.add({ event: 'started', seed: plan.seed, scenario: plan.scenario, plan: kinds });
    observer.start();
    await client.workflow.start('gavelPipeline', {
      workflowId: `gavel/${run}`,
      taskQueue: taskQueue(readRootId(root)),
      args: [spec, { until: untilOf(plan) }],
    });
    const random = randomOf(plan.seed + 1_000_003);
    const { scenario } = plan;
    const context = new FaultContext({
      cluster,
      log,
      judge_proxy,
      run,
      scenario,
      random,
      saved: join(folder, 'saved'),
      journals,
    });
    const stopWatchingServers = plan.scenario === 'served' ? watchAdapters(context) : () => undefined;
    const stopWatching = context.watchWorkflow();
    injected = await inject(context, plan, mounted, say).finally(stopWatching);
    status = await untilOver(context).finally(stopWatchingServers);
    log.add({ event: 'workflow', status });
    await keepHistories(context, join(folder, 'histories'));
    for (const { assertion, detail } of await leftovers(root, log.events)) context.violated(assertion, detail);
  } finally {
    observer.stop();
    await cluster.close();
    await judge_proxy.shut();
    log.add({ event: 'ended', seconds: (Date.now() - began) / 1000 });
  }
  return { plan, folder, root, run, log, injected, status, seconds: (Date.now() - began) / 1000 };
}

/** Copies of the journals of a seed's run. */
export const journalsOfSeed = (folder: string): string => join(folder, 'journals');

export const untilOf = ({ scenario }: Plan): Stage => lastStage(scenario);

async function inject(
  context: FaultContext,
  plan: Plan,
  mounted: boolean,
  say: (line: string) => void,
): Promise<number> {
  let injected = 0;
  let from = 0;
  for (const [index, { fault, stage }] of plan.faults.entries()) {
    const id = index + 1;
    if (fault.kind === 'disk full' && !mounted) {
      say(`seed ${plan.seed}: "disk full" is skipped, since a small filesystem cannot be mounted here`);
      continue;
    }
    // Work goes on: a commit since the last fault, in the stage that is wanted.
    const { log } = context;
    const trained = stage !== 'prepare' && stage !== 'report';
    const unless = () => context.dead || log.of('result').some((result) => result.stage === stage);
    // A long absence of the server lets a stage end before its turn comes.
    if (trained && !(await isGoing(context, stage, { from, timeout_ms: RECOVERY_MS, unless }))) {
      say(`seed ${plan.seed}: ${fault.kind} did not strike: ${stage} was over`);
      continue;
    }
    context.begin(id, fault.kind, stage);
    from = log.events.length;
    say(`seed ${plan.seed}: ${fault.kind} (${stage}${trained ? `, step ${context.heights(stage).step}` : ''})`);
    try {
      const seconds = await fault.strike(context);
      log.add({ event: 'healed', id, seconds });
    } catch (error) {
      // A fault that found nothing to strike is not counted; what it broke before that would show.
      log.add({ event: 'given_up', id, why: messageOf(error) });
      say(`seed ${plan.seed}: ${fault.kind} given up: ${messageOf(error)}`);
    }
    const struck = log.of('fault').findLast((event) => event.id === id);
    if (!struck) continue;
    injected += 1;
    if (!trained || stage === 'audit') continue;
    await log.next('commit', ({ stage: at, step }) => at !== struck.stage || step > struck.committed, {
      from,
      timeout_ms: RECOVERY_MS,
      unless,
    });
  }
  return injected;
}

/** How long a fault waits at most once work goes on: a step of SFT is soon over, and the audit's model servers load for a minute. */
const LONGEST_WAIT_MS = { grpo: 2500, sft: 800, audit: 10_000 };
// An attempt at the audit whose model servers outlived the one before is over three seconds after its trainer began.
const LONGEST_WAIT_IN_AUDIT_AGAIN_MS = 1000;

interface Waiting {
  from: number;
  timeout_ms: number;
  unless: () => boolean;
}

/** Waits until work goes on in the stage since the last fault, and a random moment more; false where it never does. */
async function isGoing(context: FaultContext, stage: Stage, options: Waiting): Promise<boolean> {
  const { log, random } = context;
  if (stage === 'audit') {
    // It commits nothing; its trainer grades for some seconds, once the grader's vLLM is up.
    const seen = () => options.unless() || (context.stage === stage && context.trainer() !== null);
    await context.secondsUntil(options.timeout_ms / 1000, seen);
  } else {
    await log.next('commit', ({ stage: at, step }) => at === stage && step > 0, options);
  }
  if (options.unless()) return false;
  const again = stage === 'audit' && log.of('fault').some((fault) => fault.stage === 'audit');
  await sleep(random.between(0, again ? LONGEST_WAIT_IN_AUDIT_AGAIN_MS : LONGEST_WAIT_MS[stage]));
  return !options.unless() && context.stage === stage;
}

/** Logs which adapters the policy's servers have loaded, where these change, until stopped. */
function watchAdapters({ log, paths }: FaultContext): () => void {
  const known = new Map<string, string>();
  const look = async () => {
    for (const server of policyServers(paths.endpoints)) {
      const names = await loadedAdapters(join(paths.endpoints, `${server}.json`));
      if (names === null || known.get(server) === names.join()) continue;
      known.set(server, names.join());
      log.add({ event: 'adapters', server, names });
    }
  };
  const timer = setInterval(() => void look(), ADAPTERS_MS);
  return () => clearInterval(timer);
}

/** The status that the pipeline ends in; what was resumed counts, not what was cancelled before. */
async function untilOver(context: FaultContext): Promise<string> {
  for (;;) {
    const handle = await context.handle();
    await handle.result().catch(() => undefined);
    const { status } = await handle.describe();
    if (status.name !== 'RUNNING') return status.name;
  }
}

/** A filesystem of its own that is small enough to be filled, where this may be mounted. */
async function mountSmall(folder: string): Promise<boolean> {
  const { failed } = await execa('mount', ['-t', 'tmpfs', '-o', 'size=192m', 'tmpfs', folder], { reject: false });
  return !failed;
}

export async function unmountSmall(root: string): Promise<void> {
  await execa('umount', [join(root, 'runs')], { reject: false });
}

async function keepHistories({ cluster, run }: FaultContext, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const { address } = cluster;
  const client = await cluster.client();
  const temporal = cluster.config.temporal_cli;
  for await (const { workflowId, runId } of client.workflow.list()) {
    if (!workflowId.startsWith(`gavel/${run}`)) continue;
    const args = ['--address', address, 'workflow', 'show', '-w', workflowId, '-r', runId, '-o', 'json'];
    const { stdout } = await execa(temporal, args);
    writeFileSync(join(folder, `${encodeURIComponent(workflowId)}.${runId.slice(0, 8)}.json`), stdout);
  }
}
