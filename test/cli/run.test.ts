import { expect, it } from 'vitest';
import type { Server } from '../../src/cli/connect.ts';
import { startRun } from '../../src/cli/run.ts';
import { aSpec } from '../run-directory/a-run.ts';

/** A server that takes note of what it is asked to start. */
function aServer() {
  const started: [string, Record<string, unknown>][] = [];
  const start = async (type: string, options: Record<string, unknown>) => {
    started.push([type, options]);
    return { firstExecutionRunId: 'a-run-id' };
  };
  return { started, server: { client: { workflow: { start } } } as unknown as Server };
}

it('starts nothing that `temporal workflow start` with an id, a reuse policy and the spec would not', async () => {
  const { started, server } = aServer();
  await startRun(server, aSpec(), 'gavel-a-root');
  const expected = { workflowId: 'gavel/first', taskQueue: 'gavel-a-root', args: [aSpec()] };
  expect(started).toEqual([['gavelPipeline', { ...expected, workflowIdReusePolicy: 'REJECT_DUPLICATE' }]]);
});

it('goes on only with a run that failed or was cancelled', async () => {
  const { started, server } = aServer();
  await startRun(server, aSpec(), 'gavel-a-root', { resume: true });
  expect(started[0]?.[1]).toMatchObject({
    args: [aSpec(), { resume: true }],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
  });
});
