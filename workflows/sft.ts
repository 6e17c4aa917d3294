import type { StageSummary } from '../activities/train-grpo.ts';
import { training } from './activity-options.ts';
import { Attempts } from './attempts.ts';
import { StageControl } from './control.ts';
import { failing } from './failing.ts';
import { onNode } from './on-node.ts';
import { knownRun, type StageInput } from './stage-input.ts';
import { StatusBoard } from './status.ts';

/** SFT: the data set is built from the ledger and the grader trained on it. */
export async function sft(input: StageInput): Promise<StageSummary> {
  const board = new StatusBoard(input.run, ['sft']);
  const control = new StageControl(board, input.run, 'sft', input.leaving);
  return failing(board, async () => {
    const { run } = input;
    const { plan, search_attributes, interruptions } = await knownRun(input);
    board.useSearchAttributes(search_attributes);
    board.interrupted(interruptions);
    board.begin('sft');
    const { limits, spec_digest } = plan;
    const attempts = new Attempts(run, 'sft', limits);
    const gpus = plan.placement.trainer_gpus;
    const summary = await onNode(control, { stage: 'sft', gpus, limits }, (node) => {
      const { trainSft } = training({ task_queue: node.task_queue, limits, summary: plan.summaries.sft });
      return attempts.untilDone(() => trainSft({ run, spec_digest, gpus: node.gpus, reservation: node.reservation }));
    });
    board.end('sft', summary.metrics);
    return summary;
  });
}
