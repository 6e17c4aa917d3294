import { afterAll, beforeAll, expect, it } from 'vitest';
import { failure } from '../../src/failures.ts';
import { knownRun, queues, type RealEnvironment, spec, startReal, summary, withWorker } from './environment.ts';
import { aRun, beatingUntil, until, untilCancelled } from './steered-run.ts';

/** Servers whose weights the trainer pushes, on a real server. */

let environment: RealEnvironment;
beforeAll(async () => {
  environment = await startReal();
}, 60_000);
afterAll(() => environment?.end());

it('gives each attempt a server of its own, and the judge stays', async () => {
  const run = aRun();
  const served: string[] = [];
  let attempts = 0;
  const activities = {
    ...run.activities,
    reserveNode: async () => ({ node: 'a', task_queue: queues.node, gpus: ['g0', 'g1', 'g2'] }),
    serveModel: async ({ role, gpus, served_before }: { role: string; gpus: string[]; served_before: boolean }) => {
      served.push(`${role} on ${gpus}${served_before ? ', again' : ''}`);
      await untilCancelled();
    },
    trainGrpo: async ({ gpus }: { gpus: string[] }) => {
      expect(gpus).toEqual(['g2']);
      attempts += 1;
      await beatingUntil(until('the servers', () => served.length === 1 + attempts));
      if (attempts === 1) throw failure('TrainerDied', 'the trainer ended with SIGKILL', { epoch: 1 });
      return summary();
    },
  };
  const given = {
    ...{ ...spec, run: 'q-run', grpo: { rollout: 'vllm_server' } },
    placement: { judge_gpus: 1, rollout_gpus: 1, trainer_gpus: 1 },
  };
  await withWorker(environment, activities, () =>
    environment.client.workflow.execute('grpo', {
      taskQueue: queues.main,
      workflowId: 'gavel/q-run/grpo',
      args: [{ run: 'q-run', known: knownRun(given) }],
    }),
  );
  expect(served.sort()).toEqual(['judge on g0', 'policy on g1', 'policy on g1, again']);
}, 180_000);
