import { condition, defineSignal, setHandler, startChild, workflowInfo } from '@temporalio/workflow';
import { PipelineControl } from '../../workflows/control.ts';
import { grpo } from '../../workflows/grpo.ts';
import { StatusBoard } from '../../workflows/status.ts';

/** A pipeline of one stage whose child takes until the signal `letStart` to be started, and the stage itself. */
export { grpo } from '../../workflows/grpo.ts';

export const letStartSignal = defineSignal('letStart');

export async function slowStart(): Promise<void> {
  const run = workflowInfo().workflowId.replace('gavel/', '');
  const board = new StatusBoard(run, ['grpo']);
  const control = new PipelineControl(board);
  let mayStart = false;
  setHandler(letStartSignal, () => {
    mayStart = true;
  });
  board.begin('grpo');
  await control.running('grpo', async (leaving) => {
    await condition(() => mayStart);
    return startChild(grpo, { workflowId: `gavel/${run}/grpo`, args: [{ run, leaving }] });
  });
}
