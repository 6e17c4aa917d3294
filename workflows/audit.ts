import type { StageSummary } from '../activities/train-grpo.ts';
import { shared, training } from './activity-options.ts';
import { Attempts } from './attempts.ts';
import { StageControl } from './control.ts';
import { failing } from './failing.ts';
import { type ModelServerInput, withServers } from './model-server.ts';
import { onNode } from './on-node.ts';
import { knownRun, type StageInput } from './stage-input.ts';
import { StatusBoard } from './status.ts';

/** Audit: grader and untrained base are served, grade the rows that the judge graded, and are measured. */
export async function audit(input: StageInput): Promise<StageSummary> {
  const board = new StatusBoard(input.run, ['audit']);
  const control = new StageControl(board, input.run, 'audit', input.leaving);
  return failing(board, async () => {
    const { run } = input;
    const { plan, search_attributes, interruptions } = await knownRun(input);
    board.useSearchAttributes(search_attributes);
    board.interrupted(interruptions);
    board.begin('audit');
    await shared('Verify what GRPO and SFT have published').verifyResults({ run, stages: ['grpo', 'sft'] });
    const { limits, spec_digest, models } = plan;
    const perModel = plan.placement.grader_gpus;
    const roles = plan.audits_base ? (['grader', 'base'] as const) : (['grader'] as const);
    const gpus = perModel * roles.length;
    const attempts = new Attempts(run, 'audit', limits);
    const summary = await onNode(control, { stage: 'audit', gpus, limits }, (node) => {
      const { task_queue, reservation } = node;
      const servers = roles.map(
        (role, index): ModelServerInput => ({
          run,
          spec_digest,
          stage: 'audit',
          role,
          model: models[role],
          gpus: node.gpus.slice(index * perModel, (index + 1) * perModel),
          served_before: node.worked_before,
          task_queue,
          limits,
        }),
      );
      const { auditGrader } = training({ task_queue, limits, summary: plan.summaries.audit });
      return withServers(servers, () =>
        attempts.untilDone(() => auditGrader({ run, spec_digest, gpus: [], reservation })),
      );
    });
    board.end('audit', summary.metrics);
    return summary;
  });
}
