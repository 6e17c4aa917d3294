import type { StageSummary } from '../activities/train-grpo.ts';
import { shared, training } from './activity-options.ts';
import { Attempts } from './attempts.ts';
import { StageControl } from './control.ts';
import { failing } from './failing.ts';
import { type ModelServerInput, withServers } from './model-server.ts';
import { onNode } from './on-node.ts';
import { resolveStageInput, type StageInput } from './stage-input.ts';
import { StatusBoard } from './status.ts';

/** Audit: grader and untrained base are served, grade the rows that the judge graded, and are measured. */
export async function audit(input: StageInput): Promise<StageSummary> {
  const board = new StatusBoard(input.run, ['audit']);
  const control = new StageControl(board, input.run, 'audit', input.leaving);
  return failing(board, async () => {
    const { run, spec, search_attributes } = await resolveStageInput(input);
    board.useSearchAttributes(search_attributes);
    board.begin('audit');
    await shared('Verify what GRPO and SFT have published').verifyResults({ run, stages: ['grpo', 'sft'] });
    const { limits } = spec;
    const perModel = spec.placement.grader_gpus;
    const roles = spec.audit.base ? (['grader', 'base'] as const) : (['grader'] as const);
    const attempts = new Attempts(run, 'audit', limits);
    const summary = await onNode(
      control,
      { run, stage: 'audit', gpus: perModel * roles.length, limits },
      (node, reservation) => {
        const servers = roles.map(
          (role, index): ModelServerInput => ({
            run,
            stage: 'audit',
            role,
            // The grader is served merged: an adapter beside its base is ten times slower on a CPU.
            model: role === 'grader' ? `runs/${run}/grader/merged` : spec.base.model,
            serve: spec[role].serve,
            gpus: node.gpus.slice(index * perModel, (index + 1) * perModel),
            served_before: reservation > 1,
            start_timeout_s: limits.model_start_timeout_s,
            task_queue: node.task_queue,
            limits,
          }),
        );
        const { auditGrader } = training({
          task_queue: node.task_queue,
          limits,
          summary: `Audit: ${roles.join(' and ')} against the judge and the truth`,
        });
        return withServers(servers, () => attempts.untilDone(() => auditGrader({ run, gpus: [] })));
      },
    );
    board.end('audit', summary.metrics);
    return summary;
  });
}
