import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  bundleWorkflowCode,
  DefaultLogger,
  makeTelemetryFilterString,
  Runtime,
  Worker,
  type WorkflowBundle,
} from '@temporalio/worker';
import type { Activities } from '../../activities/index.ts';
import type { KnownRun } from '../../activities/prepare-run.ts';
import type { StageSummary } from '../../activities/train-grpo.ts';
import { Spec } from '../../src/contracts/spec/spec.ts';
import { totalsOf } from '../../src/run-directory/interruptions.ts';
import { planOf } from '../../src/stage/plan.ts';
import { startDevServer } from '../temporal/dev-server.ts';

/** A server, a worker with activities of the test's own, and the workflows as they are. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const WORKFLOWS = join(root, 'workflows/index.ts');
const bundles = new Map<string, WorkflowBundle>();

// Failures are what these tests are about: a thousand lines of them would bury one that matters.
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) } },
});

/** The time-skipping server, for tests whose workflows wait for minutes. */
export async function startTimeSkipping(): Promise<TestWorkflowEnvironment> {
  const path = join(root, '.venv/bin/temporal-test-server');
  if (!existsSync(path)) throw new Error(`Expected the test server at ${path}; run npm run setup.`);
  return TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } });
}

export interface RealEnvironment extends Pick<TestWorkflowEnvironment, 'client' | 'nativeConnection'> {
  end: () => Promise<void>;
}

/** Temporal's own dev server, for tests that ask in the middle of a run: the time-skipping one may lose what comes then. */
export async function startReal(): Promise<RealEnvironment> {
  const server = await startDevServer();
  const environment = await TestWorkflowEnvironment.createFromExistingServer({ address: server.address });
  const end = () => environment.teardown().finally(server.end);
  return { client: environment.client, nativeConnection: environment.nativeConnection, end };
}

/**
 * Task queues of the worker that runs now. Each worker has its own: on a busy machine the server may still hold a poll of the one
 * before, and what it answers to that poll is lost, an activity for as long as it may take.
 */
export const queues = { main: '', node: '' };
let workers = 0;

/** Runs `work` beside a worker whose activities are `activities`, each under its own name. */
export async function withWorker<T>(
  environment: Pick<TestWorkflowEnvironment, 'nativeConnection'>,
  activities: Partial<Record<keyof Activities, (...args: never[]) => Promise<unknown>>>,
  work: () => Promise<T>,
  workflowsPath = WORKFLOWS,
): Promise<T> {
  const workflowBundle = bundles.get(workflowsPath) ?? (await bundleWorkflowCode({ workflowsPath, logger: quiet }));
  bundles.set(workflowsPath, workflowBundle);
  workers += 1;
  queues.main = `gavel-${workers}`;
  queues.node = `gavel-${workers}-node-a`;
  const common = {
    connection: environment.nativeConnection,
    activities,
    maxHeartbeatThrottleInterval: '100ms',
    defaultHeartbeatThrottleInterval: '100ms',
  } as const;
  const main = await Worker.create({ ...common, taskQueue: queues.main, workflowBundle });
  const node = await Worker.create({ ...common, taskQueue: queues.node });
  return main.runUntil(() => node.runUntil(work));
}

const silent = () => undefined;
const quiet = { log: silent, trace: silent, debug: silent, info: silent, warn: silent, error: silent };

export const summary = (metrics: Record<string, number> = {}): StageSummary => ({
  epoch: 1,
  step: 2,
  checkpoint: 'step-000002.e1',
  metrics,
});

export const spec = {
  run: 'a-run',
  task: { name: 'poly_easy' },
  policy: { model: 'models/policy' },
  judge: { model: 'models/judge', rubric: 'rubric.yaml' },
  base: { model: 'models/base' },
};

export const digests = { spec_digest: 'a'.repeat(64), rubric_digest: 'b'.repeat(64) };

/** What `prepareRun` and `readRun` say of a run with that spec. */
export const knownRun = (given: object = spec): KnownRun => ({
  plan: planOf(Spec.parse(given), digests),
  search_attributes: [],
  interruptions: totalsOf([]),
});
