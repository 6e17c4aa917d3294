import { Context } from '@temporalio/activity';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Server } from '../../../src/cli/connect.ts';
import { emptyView } from '../../../src/cli/watch/run-view.ts';
import { addServerView } from '../../../src/cli/watch/view-from-server.ts';
import { knownRun, queues, type RealEnvironment, spec, startReal, withWorker } from '../../workflows/environment.ts';
import { aRun, until, untilCancelled } from '../../workflows/steered-run.ts';

/** What `gavel status` and `gavel watch` learn from a real server about a run with servers for its judge and its policy. */

let environment: RealEnvironment;
beforeAll(async () => {
  environment = await startReal();
}, 60_000);
afterAll(() => environment?.end());

it('lists the processes of every server that the stage has started', async () => {
  const run = aRun();
  const given = { ...spec, run: 'seen', grpo: { rollout: 'served', lora: {} } };
  const activities = {
    ...run.activities,
    prepareRun: async () => knownRun(given),
    serveModel: async ({ role }: { role: string }) => {
      const context = Context.current();
      const processes = [{ role: 'vllm', pid: 1, host: `node-of-the-${role}`, epoch: null }];
      const state = { stage: 'grpo', epoch: null, phase: 'serve', step: 0, total: 0, metrics: {} };
      const beating = setInterval(
        () => context.heartbeat({ ...state, waiting: null, checkpoint: null, processes }),
        100,
      );
      await context.cancelled.finally(() => clearInterval(beating));
    },
    trainGrpo: async () => {
      await untilCancelled();
    },
  };
  const connection = environment.client.connection;
  const server = { client: environment.client, connection, address: '', namespace: 'default' } as unknown as Server;
  await withWorker(environment, activities, async () => {
    const handle = await environment.client.workflow.start('gavelPipeline', {
      taskQueue: queues.main,
      workflowId: 'gavel/seen',
      args: [given, { until: 'grpo' }],
    });
    let hosts: string[] = [];
    await until('both servers to be listed', async () => {
      const view = emptyView('seen');
      await addServerView(server, view, queues.main);
      hosts = view.processes.map(({ host }) => host).sort();
      return hosts.length === 2;
    });
    expect(hosts).toEqual(['node-of-the-judge', 'node-of-the-policy']);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
  });
}, 180_000);
