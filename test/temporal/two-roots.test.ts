import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WorkflowOwner } from '../../src/contracts/reservation.ts';
import { readRootId } from '../../src/run-directory/root.ts';
import { taskQueue } from '../../src/temporal/task-queues.ts';
import { namespaceId, workflowRuns } from '../../src/temporal/workflow-runs.ts';
import { gavel, makeRoot } from '../cli/gavel.ts';
import { type DevServer, startDevServer } from './dev-server.ts';

/** Two namespaces on one root, and two roots in one namespace, on a real server. No worker polls: what is started runs. */

const package_root = fileURLToPath(new URL('../..', import.meta.url));
let server: DevServer;
beforeAll(async () => {
  server = await startDevServer('team');
});
afterAll(() => server?.end());

async function started(namespace: string, workflowId: string, queue = 'nobody-polls'): Promise<WorkflowOwner> {
  const client = server.client(namespace);
  const handle = await client.workflow.start('gavelPipeline', { workflowId, taskQueue: queue, args: [] });
  const namespace_id = await namespaceId(client, namespace);
  return { kind: 'workflow', namespace, namespace_id, workflow_id: workflowId, run_id: handle.firstExecutionRunId };
}

it('asks about the owner of a lease in its own namespace', async () => {
  const owner = await started('team', 'gavel/in-team/grpo');
  const other = server.client('default');
  expect(await workflowRuns(other, owner)).toBe(true);
  await server.client('team').workflow.getHandle(owner.workflow_id).terminate();
  expect(await workflowRuns(other, owner)).toBe(false);
});

it('takes an owner for over that its namespace does not know, or whose execution has been followed by another', async () => {
  const owner = await started('default', 'gavel/twice/grpo');
  const client = server.client('default');
  expect(await workflowRuns(client, { ...owner, workflow_id: 'gavel/never/grpo' })).toBe(false);
  await client.workflow.getHandle(owner.workflow_id).terminate();
  const next = await started('default', 'gavel/twice/grpo');
  expect(await workflowRuns(client, next)).toBe(true);
  expect(await workflowRuns(client, owner)).toBe(false);
});

it('leaves the owner alone whose namespace only another server has', async () => {
  const elsewhere = await startDevServer();
  try {
    const namespace_id = await namespaceId(elsewhere.client('default'), 'default');
    const owner = { ...(await started('default', 'gavel/here/grpo')), workflow_id: 'gavel/there/grpo', namespace_id };
    expect(await workflowRuns(server.client('default'), owner)).toBe(true);
  } finally {
    await elsewhere.end();
  }
});

it('goes by the name of a namespace that it may use and not describe', async () => {
  const owner = await started('team', 'gavel/by-name/grpo');
  const client = server.client('team');
  const { workflowService } = client;
  const denied = async () => Promise.reject(Object.assign(new Error('denied'), { code: 7 }));
  const bound = {
    describeNamespace: denied,
    describeWorkflowExecution: workflowService.describeWorkflowExecution.bind(workflowService),
  };
  const unprivileged = { workflowService: bound } as unknown as typeof client;
  const namespace_id = await namespaceId(unprivileged, 'team');
  expect(namespace_id).toBe('name:team');
  expect(await workflowRuns(unprivileged, { ...owner, namespace_id })).toBe(true);
  await client.workflow.getHandle(owner.workflow_id).terminate();
  expect(await workflowRuns(unprivileged, { ...owner, namespace_id })).toBe(false);
});

it('cancels no run of another root in the same namespace, and shows none', async () => {
  const [one, two] = [makeRoot(), makeRoot()];
  try {
    const queue = taskQueue(readRootId(one.root));
    const owner = await started('default', 'gavel/same-name', queue);
    const env = { TEMPORAL_ADDRESS: server.address, GAVEL_ROOT: two.root };
    const cancelled = await gavel(['cancel', 'same-name'], env);
    expect(cancelled.code).toBe(1);
    expect(cancelled.stderr).toContain(`found it on ${queue}: another root's`);
    expect((await gavel(['status', 'same-name'], env)).code).toBe(1);
    expect((await gavel(['status', 'same-name'], { ...env, GAVEL_ROOT: one.root })).code).toBe(0);
    expect(await workflowRuns(server.client('default'), owner)).toBe(true);
  } finally {
    one.remove();
    two.remove();
  }
});

it('starts runs on the queue that is named where the root of the workers is not mounted', async () => {
  const { root, remove } = makeRoot();
  try {
    rmSync(join(root, '.gavel-root'));
    const run = ['run', join(package_root, 'examples/poly-easy.yaml'), '--run', 'from-afar'];
    const env = { TEMPORAL_ADDRESS: server.address, GAVEL_ROOT: root };
    const refused = await gavel(run, env);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('gavel root --new');
    expect((await gavel(run, { ...env, GAVEL_TASK_QUEUE: 'gavel-0f5e2c1a' })).code).toBe(0);
    const { taskQueue: queue } = await server.client('default').workflow.getHandle('gavel/from-afar').describe();
    expect(queue).toBe('gavel-0f5e2c1a');
  } finally {
    remove();
  }
});
