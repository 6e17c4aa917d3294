import {
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  startChild,
  upsertMemo,
  workflowInfo,
} from '@temporalio/workflow';
import type { PipelineResult } from '../activities/write-report.ts';
import { checkSpec } from '../src/contracts/spec/check.ts';
import { RunName } from '../src/contracts/spec/run-name.ts';
import { failureDetails, failureType, invalidSpec } from '../src/failures.ts';
import { shared } from './activity-options.ts';
import { audit } from './audit.ts';
import { PipelineControl } from './control.ts';
import { failing } from './failing.ts';
import { grpo } from './grpo.ts';
import { sft } from './sft.ts';
import { StatusBoard } from './status.ts';

export interface PipelineOptions {
  /** true continues a run directory of an earlier workflow. */
  resume?: boolean;
  /** Last stage to run; left out, all of them. */
  until?: 'grpo' | 'sft' | 'audit';
}

const stages = [
  ['grpo', grpo, 'GRPO: train the policy under the judge'],
  ['sft', sft, 'SFT: distil the grader'],
  ['audit', audit, 'Audit: grader against judge and truth'],
] as const;

/**
 * The run's name is in the workflow's id, whatever the spec says. Its stages and all clients find it by that id,
 * and so one spec file starts many runs from any client.
 */
function runOf(workflowId: string): string {
  const name = workflowId.replace(/^gavel\//, '');
  if (name !== workflowId && RunName.safeParse(name).success && !name.includes('..')) return name;
  const message = `expected a workflow id of the form gavel/<run> (${RunName.description}); found ${workflowId}`;
  throw invalidSpec([{ field: 'run', message }]);
}

/** The stage whose published result an error says is damaged; null where it says nothing of the kind. */
function damagedStage(error: unknown): unknown {
  return failureType(error) === 'ResultDamaged' ? failureDetails(error).stage : null;
}

/** All stages in order: prepare, GRPO, SFT, Audit, report. The argument is a spec; see docs/spec.md. */
export async function gavelPipeline(input: unknown, options: PipelineOptions = {}): Promise<PipelineResult> {
  // A ZodError thrown here would fail the workflow task, which Temporal retries for ever.
  const { spec: given, problems } = checkSpec(input);
  if (given === null) throw invalidSpec(problems);
  const { workflowId, firstExecutionRunId } = workflowInfo();
  const run = runOf(workflowId);
  const spec = { ...given, run };
  const board = new StatusBoard(
    run,
    stages.map(([name]) => name),
  );
  const control = new PipelineControl(board);
  return failing(board, async () => {
    const owner = { workflow_id: workflowId, run_id: firstExecutionRunId };
    const known = await shared('Check what the spec names, make run directory and prompts').prepareRun({
      spec,
      owner,
      resume: options.resume ?? false,
    });
    const { spec_digest, rubric_digest, summaries } = known.plan;
    upsertMemo({ spec_digest, rubric_digest });
    board.interrupted(known.interruptions);
    board.useSearchAttributes(known.search_attributes);
    board.describe(summaries.run);
    const repeated = new Set<string>();
    for (let at = 0; at < stages.length; at += 1) {
      const [name, workflow, staticSummary] = stages[at] as (typeof stages)[number];
      board.begin(name);
      const id = `gavel/${run}/${name}`;
      try {
        const { metrics } = await control.running(name, (leaving) =>
          startChild(workflow, {
            workflowId: id,
            args: [{ run, known: { ...known, interruptions: board.status.interruptions }, leaving }],
            staticSummary,
            cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
          }),
        );
        board.end(name, metrics);
      } catch (error) {
        const damaged = stages.findIndex(([stage]) => stage === damagedStage(error));
        // Repeated once only: damage that comes back at once means a disk that a person has to replace.
        if (damaged < 0 || damaged >= at || repeated.has(name)) throw error;
        repeated.add(name);
        at = damaged - 1;
        continue;
      }
      if (name === options.until) break;
    }
    board.begin('report');
    const result = await shared('Write report.html').writeReport({ run });
    board.finish({ verdict: result.verdict, report: result.report });
    return result;
  });
}
