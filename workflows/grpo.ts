import type { StageSummary } from '../activities/train-grpo.ts';
import { training } from './activity-options.ts';
import { Attempts } from './attempts.ts';
import { StageControl } from './control.ts';
import { failing } from './failing.ts';
import { type ModelServerInput, withServers } from './model-server.ts';
import { onNode } from './on-node.ts';
import { knownRun, type StageInput } from './stage-input.ts';
import { StatusBoard } from './status.ts';

/** GRPO: the judge is served, the policy trained, and the audit's rows sampled and graded by the judge. */
export async function grpo(input: StageInput): Promise<StageSummary> {
  const board = new StatusBoard(input.run, ['grpo']);
  const control = new StageControl(board, input.run, 'grpo', input.leaving);
  return failing(board, async () => {
    const { run } = input;
    const { plan, search_attributes, interruptions } = await knownRun(input);
    board.useSearchAttributes(search_attributes);
    board.interrupted(interruptions);
    board.begin('grpo');
    const { placement, limits, spec_digest } = plan;
    const gpus = placement.judge_gpus + placement.trainer_gpus;
    const attempts = new Attempts(run, 'grpo', limits);
    const summary = await onNode(control, { stage: 'grpo', gpus, limits }, async (node) => {
      const { task_queue, reservation } = node;
      const judge: ModelServerInput = {
        run,
        spec_digest,
        stage: 'grpo',
        role: 'judge',
        model: plan.models.judge,
        gpus: node.gpus.slice(0, placement.judge_gpus),
        served_before: node.worked_before,
        task_queue,
        limits,
      };
      const { trainGrpo } = training({ task_queue, limits, summary: plan.summaries.grpo });
      return withServers(plan.serves_judge ? [judge] : [], () =>
        attempts.untilDone(() =>
          trainGrpo({ run, spec_digest, gpus: node.gpus.slice(placement.judge_gpus), reservation }),
        ),
      );
    });
    board.end('grpo', summary.metrics);
    return summary;
  });
}
