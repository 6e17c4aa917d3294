import { fileURLToPath } from 'node:url';
import { temporal } from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunStatus } from '../../src/contracts/status.ts';
import { queues, type RealEnvironment, startReal, withWorker } from './environment.ts';
import { aRun, stateOf, until, untilCancelled } from './steered-run.ts';

/** What people and nodes ask of a run while the workflow of its next stage is being started, on a real server. */

let environment: RealEnvironment;
beforeAll(async () => {
  environment = await startReal();
}, 60_000);
afterAll(() => environment?.end());

/** The events of workflows, a line each. */
async function eventsOf(...ids: string[]): Promise<string> {
  const lines = ids.map(async (id) => {
    const { events } = await environment.client.workflow.getHandle(`gavel/${id}`).fetchHistory();
    return `${id}: ${(events ?? []).map(({ eventType }) => temporal.api.enums.v1.EventType[eventType ?? 0]).join(' ')}`;
  });
  return (await Promise.all(lines)).join('\n');
}

describe('a run whose stage is being started', { timeout: 180_000 }, () => {
  const slowly = (run: string) =>
    environment.client.workflow.start('slowStart', { taskQueue: queues.main, workflowId: `gavel/${run}` });
  const path = fileURLToPath(new URL('slow-start.ts', import.meta.url));

  it('pauses that stage as soon as it exists', async () => {
    const run = aRun();
    let resumed = false;
    const activities = {
      ...run.activities,
      // The stage may come to reserve a node before the pause reaches it; it must not come any further.
      reserveNode: async (input: { avoid: string[]; reservation: string }) => {
        if (!resumed) await untilCancelled();
        return run.activities.reserveNode(input);
      },
    };
    const work = async () => {
      const handle = await slowly('early-pause');
      // A pause that comes before the first workflow task has ended finds no stage yet, and is answered at once.
      await until('the stage to begin', async () => (await stateOf(handle)) === 'running');
      const asked = await handle.startUpdate('pause', { waitForStage: 'ACCEPTED' });
      await handle.signal('letStart');
      const { stages } = (await asked.result()) as RunStatus;
      expect(stages.grpo?.state, await eventsOf('early-pause', 'early-pause/grpo')).toBe('paused');
      expect(run.attempts()).toBe(0);
      resumed = true;
      await handle.executeUpdate('resume');
      await until('the first attempt', () => run.attempts() === 1);
      run.finish();
      await handle.result();
    };
    await withWorker(environment, activities, work, path);
  });

  it('hands a notice on to it', async () => {
    const run = aRun();
    const work = async () => {
      const handle = await slowly('early-notice');
      await until('the stage to begin', async () => (await stateOf(handle)) === 'running');
      await handle.signal('preemptionNotice', { node: 'a' });
      await handle.signal('letStart');
      // The first reservation may be over before the notice reaches the stage, which then leaves that node.
      await until('a reservation elsewhere', () => run.reservations.at(-1)?.avoid.includes('a') ?? false);
      const finishing = setInterval(run.finish, 100);
      await handle.result().finally(() => clearInterval(finishing));
    };
    await withWorker(environment, run.activities, work, path);
  });
});
