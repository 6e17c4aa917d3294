import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { type Command, Option } from 'commander';
import { loadConfig } from '../config.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { judgeCallsOf } from '../spec/judge-calls.ts';
import { loadSpec } from '../spec/load-spec.ts';
import { unplacedHere } from '../spec/unplaced.ts';
import { connect, pollers, type Server } from './connect.ts';
import { CliError } from './exit.ts';
import { queueOf } from './root.ts';
import { readUp } from './up/state.ts';
import { workflowIdOf } from './watch/view-from-server.ts';
import { watchToEnd } from './watch/watch.ts';

interface RunOptions {
  run?: string;
  watch?: boolean;
  resume?: boolean;
  json?: boolean;
  until?: 'grpo' | 'sft' | 'audit';
}

export function define(program: Command): void {
  program
    .command('run')
    .argument('<spec>', 'YAML or JSON file; see examples/')
    .description('Checks a spec and starts the workflow gavelPipeline with it. The run goes on without this command.')
    .option('--run <name>', 'name of the run, instead of the one in the spec')
    .option('--watch', 'show its progress until it is over')
    .option('--detach', 'return at once (the default)')
    .option('--resume', 'continue the run directory of an earlier run of the same spec')
    .addOption(new Option('--until <stage>', 'last stage to run').choices(['grpo', 'sft', 'audit']))
    .option('--json', 'print what was started as JSON')
    .action(async (path: string, { run, watch, resume, json, until }: RunOptions) => {
      const config = loadConfig();
      const spec = loadSpec(path, run === undefined ? {} : { run });
      const task_queue = queueOf(config);
      const server = await connect(config);
      if (!json) console.log(callsText(spec));
      const started = await startRun(server, spec, task_queue, { resume: resume ?? false, ...(until && { until }) });
      const polled = await pollers(server, task_queue);
      await server.close();
      // The GPUs of this machine: where the run is worked on elsewhere, that worker's log has the same notice.
      const notice = await unplacedHere(config, spec);
      if (notice) console.error(notice);
      const judge_calls = judgeCallsOf(spec).total;
      if (json) console.log(JSON.stringify({ run: spec.run, ...started, address: server.address, judge_calls }));
      else {
        console.log(`Started run ${spec.run} (workflow ${started.workflow_id}).`);
        const ui = readUp(config)?.ui;
        if (ui)
          console.log(
            `Web UI: ${ui}/namespaces/${server.namespace}/workflows/${encodeURIComponent(started.workflow_id)}`,
          );
      }
      if (polled === 0)
        console.error(
          `No worker polls the task queue ${task_queue}: start \`gavel up\` or \`gavel worker\`. For workers of another root, set ` +
            'GAVEL_TASK_QUEUE to what `gavel root --queue` prints there.',
        );
      if (watch) process.exitCode = await watchToEnd(config, spec.run);
      else if (!json) console.log(`Follow it with \`gavel watch ${spec.run}\`.`);
    });
}

/** What the judge will be asked, which is what a paid one costs. */
export function callsText(spec: Spec): string {
  const { total, per_step, why } = judgeCallsOf(spec);
  const [all, each] = [total, per_step].map((calls) => calls.toLocaleString('en-US'));
  return `GRPO asks the judge up to ${all} times: ${each} a step (${why}), besides the audit's rows and repeated steps.`;
}

/**
 * Starts the pipeline, as `temporal workflow start` does with the same id, argument and --id-reuse-policy. A run that exists is
 * refused, unless it failed and `resume` is set.
 */
export async function startRun(
  server: Server,
  spec: Spec,
  task_queue: string,
  { resume = false, until }: { resume?: boolean; until?: RunOptions['until'] } = {},
): Promise<{ workflow_id: string; first_run_id: string }> {
  const workflow_id = workflowIdOf(spec.run);
  try {
    const handle = await server.client.workflow.start('gavelPipeline', {
      workflowId: workflow_id,
      taskQueue: task_queue,
      args: resume || until ? [spec, { resume, ...(until && { until }) }] : [spec],
      workflowIdReusePolicy: resume ? 'ALLOW_DUPLICATE_FAILED_ONLY' : 'REJECT_DUPLICATE',
    });
    return { workflow_id, first_run_id: handle.firstExecutionRunId };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw new CliError(`Expected a new run, got one that exists: ${spec.run} (workflow ${workflow_id}).`, {
      hint: resume
        ? `It runs or is done: \`gavel status ${spec.run}\`.`
        : `See it with \`gavel status ${spec.run}\`, choose another name with --run NAME, or continue a failed one with --resume.`,
    });
  }
}
