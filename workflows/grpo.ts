import type { StageSummary } from '../activities/train-grpo.ts';
import { training } from './activity-options.ts';
import { Attempts } from './attempts.ts';
import { StageControl } from './control.ts';
import { failing } from './failing.ts';
import { type ModelServerInput, withServers } from './model-server.ts';
import { onNode } from './on-node.ts';
import { resolveStageInput, type StageInput } from './stage-input.ts';
import { StatusBoard } from './status.ts';

/** GRPO: the judge is served, the policy trained, and the audit's rows sampled and graded by the judge. */
export async function grpo(input: StageInput): Promise<StageSummary> {
  const board = new StatusBoard(input.run, ['grpo']);
  const control = new StageControl(board, input.run, 'grpo', input.leaving);
  return failing(board, async () => {
    const { run, spec, search_attributes } = await resolveStageInput(input);
    board.useSearchAttributes(search_attributes);
    board.begin('grpo');
    const { judge, placement, limits } = spec;
    const gpus = placement.judge_gpus + placement.trainer_gpus;
    const attempts = new Attempts(run, 'grpo', limits);
    const summary = await onNode(control, { run, stage: 'grpo', gpus, limits }, async (node, reservation) => {
      const server: ModelServerInput = {
        run,
        stage: 'grpo',
        role: 'judge',
        model: judge.model,
        serve: judge.serve,
        gpus: node.gpus.slice(0, placement.judge_gpus),
        served_before: reservation > 1,
        start_timeout_s: limits.model_start_timeout_s,
        task_queue: node.task_queue,
        limits,
      };
      const { trainGrpo } = training({
        task_queue: node.task_queue,
        limits,
        summary: `GRPO: ${spec.grpo.steps} steps of ${spec.grpo.prompts_per_step} prompts x ${spec.grpo.num_generations} completions`,
      });
      return withServers(judge.engine === 'vllm' ? [server] : [], () =>
        attempts.untilDone(() => trainGrpo({ run, gpus: node.gpus.slice(placement.judge_gpus) })),
      );
    });
    board.end('grpo', summary.metrics);
    return summary;
  });
}
