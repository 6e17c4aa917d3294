import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunStatus } from '../../src/contracts/status.ts';
import { failure } from '../../src/failures.ts';
import { queues, type RealEnvironment, spec, startReal, summary, withWorker } from './environment.ts';
import { aRun, outside, stateOf, until } from './steered-run.ts';

/**
 * What people and nodes ask of a run: pause, resume, notice, cancel, on a real server. What follows on a worker's silence is shown
 * by the fault campaign.
 */

let environment: RealEnvironment;
beforeAll(async () => {
  environment = await startReal();
}, 60_000);
afterAll(() => environment?.end());

const start = (run: string, input: unknown = outside): Promise<WorkflowHandle> =>
  environment.client.workflow.start('gavelPipeline', {
    taskQueue: queues.main,
    workflowId: `gavel/${run}`,
    args: [{ ...(input as object), run }, { until: 'grpo' }],
  });

describe('a run that is steered', { timeout: 180_000 }, () => {
  it('pauses, gives its node back, and goes on with a new attempt', async () => {
    const run = aRun();
    await withWorker(environment, run.activities, async () => {
      const handle = await start('paused');
      await until('the first attempt', () => run.attempts() === 1);
      const status = (await handle.executeUpdate('pause')) as RunStatus;
      expect(status.stages.grpo?.state).toBe('paused');
      expect(run.released).toEqual(run.reservations.map(({ reservation }) => reservation));
      expect(run.attempts()).toBe(1);
      await handle.executeUpdate('resume');
      await until('the second attempt', () => run.attempts() === 2);
      // What comes late names the reservation that it was meant for, and that is over.
      const [first, second] = run.reservations.map(({ reservation }) => reservation);
      expect(first).not.toBe(second);
      expect(run.asked).toEqual([first]);
      expect(await stateOf(handle)).toBe('running');
      run.finish();
      await handle.result();
    });
  });

  it('pauses before an attempt that had not begun when the pause came', async () => {
    const run = aRun();
    let scheduled = 0;
    const activities = {
      ...run.activities,
      trainGrpo: async (input: { reservation: string }) => {
        scheduled += 1;
        if (scheduled === 1) await until('the request', () => run.asked.includes(input.reservation));
        return run.activities.trainGrpo(input);
      },
    };
    await withWorker(environment, activities, async () => {
      const handle = await start('paused-before');
      await until('the first attempt to be scheduled', () => scheduled === 1);
      const status = (await handle.executeUpdate('pause')) as RunStatus;
      expect(status.stages.grpo?.state).toBe('paused');
      expect(run.attempts()).toBe(0);
      await handle.executeUpdate('resume');
      await until('the first attempt', () => run.attempts() === 1);
      run.finish();
      await handle.result();
    });
  });

  it('goes on elsewhere where the vLLM of its judge leaves processes that SIGKILL does not end', async () => {
    const run = aRun();
    let servers = 0;
    const activities = {
      ...run.activities,
      reserveNode: async (input: { avoid: string[]; reservation: string }) => {
        const place = await run.activities.reserveNode(input);
        return { ...place, node: input.avoid.includes('a') ? 'b' : 'a' };
      },
      serveModel: async () => {
        servers += 1;
        if (servers === 1) throw failure('NodeStuck', 'Expected vllm (pid 7) to end on SIGKILL, got it still alive.');
        await run.activities.serveModel();
      },
    };
    await withWorker(environment, activities, async () => {
      const handle = await start('stuck-server', spec);
      await until('the second reservation', () => run.reservations.length === 2);
      await until('its server', () => servers === 2);
      expect(run.reservations[1]?.avoid).toEqual(['a']);
      const finishing = setInterval(run.finish, 100);
      await handle.result().finally(() => clearInterval(finishing));
    });
  });

  it('can be cancelled while it is paused, and shows as cancelled', async () => {
    const run = aRun();
    await withWorker(environment, run.activities, async () => {
      const handle = await start('paused-cancelled');
      await until('the first attempt', () => run.attempts() === 1);
      await handle.executeUpdate('pause');
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow();
      expect((await handle.describe()).status.name).toBe('CANCELLED');
    });
  });

  it('leaves a node that will be taken away and avoids it for a while', async () => {
    const run = aRun();
    await withWorker(environment, run.activities, async () => {
      const handle = await start('noticed');
      await until('the first attempt', () => run.attempts() === 1);
      await handle.signal('preemptionNotice', { node: 'a' });
      await until('the second attempt', () => run.attempts() === 2);
      expect(run.reservations.map(({ avoid }) => avoid)).toEqual([[], ['a']]);
      run.finish();
      await handle.result();
    });
  });

  it('works on the node that will be taken away where no other came', async () => {
    const run = aRun();
    await withWorker(environment, run.activities, async () => {
      const handle = await start('noticed-alone');
      await until('the first attempt', () => run.attempts() === 1);
      await handle.signal('preemptionNotice', { node: 'a' });
      await until('the second attempt', () => run.attempts() === 2);
      run.finish();
      await handle.result();
      expect(run.asked).toEqual([run.reservations[0]?.reservation]);
    });
  });

  it('asks for a pause again where the first request could not be written', async () => {
    const run = aRun();
    let broken = true;
    const activities = {
      ...run.activities,
      askToStop: async (input: { reservation: string; reason: string }) => {
        if (!broken) return run.activities.askToStop(input);
        broken = false;
        throw ApplicationFailure.nonRetryable('EIO: i/o error');
      },
    };
    await withWorker(environment, activities, async () => {
      const handle = await start('paused-again');
      await until('the first attempt', () => run.attempts() === 1);
      const first = handle.executeUpdate('pause');
      await until('the failed request', () => !broken);
      const second = (await handle.executeUpdate('pause')) as RunStatus;
      expect(second.stages.grpo?.state).toBe('paused');
      await first;
      await handle.executeUpdate('resume');
      await until('the second attempt', () => run.attempts() === 2);
      run.finish();
      await handle.result();
    });
  });

  it('takes a notice about another node, or one that says nothing of use, as no reason to move', async () => {
    const run = aRun();
    await withWorker(environment, run.activities, async () => {
      const handle = await start('unmoved');
      await until('the first attempt', () => run.attempts() === 1);
      await handle.signal('preemptionNotice', { node: 'b' });
      await handle.signal('preemptionNotice', { node: 7 });
      run.finish();
      await handle.result();
      expect(run.attempts()).toBe(1);
    });
  });

  it('ends as cancelled, servers included, when it has a judge of its own', async () => {
    const run = aRun();
    await withWorker(environment, run.activities, async () => {
      const handle = await start('cancelled', spec);
      await until('the first attempt', () => run.attempts() === 1);
      await handle.cancel();
      await expect(handle.result()).rejects.toThrow();
      expect((await handle.describe()).status.name).toBe('CANCELLED');
      expect((await environment.client.workflow.getHandle('gavel/cancelled/grpo').describe()).status.name).toBe(
        'CANCELLED',
      );
    });
  });

  it('reserves again when the worker says that its node is leaving', async () => {
    const run = aRun();
    let left = false;
    const leaving = {
      ...run.activities,
      trainGrpo: async () => {
        if (left) return summary();
        left = true;
        throw failure('NodeLeaving', 'The worker of node a was told to end');
      },
    };
    await withWorker(environment, leaving, async () => (await start('left')).result());
    expect(run.reservations.length).toBe(2);
    expect(run.released.length).toBe(2);
  });

  it('shows alarms and the interruptions that the run directory adds up to, and takes no older sum for a newer one', async () => {
    const run = aRun();
    await withWorker(environment, run.activities, async () => {
      const handle = await start('counted');
      await until('the first attempt', () => run.attempts() === 1);
      const totals = { count: 2, steps_lost: 5, by_cause: { preempted: 2 }, latest: [] };
      await handle.signal('interruptions', totals);
      await handle.signal('interruptions', { ...totals, count: 1, steps_lost: 3 });
      expect(await handle.query('losses')).toEqual(totals);
      const progress = { stage: 'grpo', epoch: 1, step: 2, total: 4, checkpoint: 'step-000002.e1', metrics: {} };
      await handle.signal('progress', progress);
      const raised = { at: '2026-01-01T00:00:00Z', stage: 'grpo', epoch: 1, step: 3, alarm: 'sampler_drift' };
      await handle.signal('alarm', { ...raised, message: 'far' });
      await handle.signal('alarm', { ...raised, step: 9, message: 'farther' });
      const { stages, alarms } = (await handle.query('status')) as RunStatus;
      expect(stages.grpo).toMatchObject({ step: 2, total: 4 });
      expect(alarms).toEqual([{ ...raised, step: 9, message: 'farther' }]);
      run.finish();
      await handle.result();
    });
  });
});
