import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { type Config, loadConfig } from '../config.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { countGpus } from '../gpus/list.ts';
import { judgeTotals } from '../ledger/totals.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { loadSpec } from '../spec/load-spec.ts';
import { paint } from './colors.ts';
import { connect, type Server } from './connect.ts';
import { hasCudaEngine, onGpus } from './demo-placement.ts';
import { CliError, EXIT } from './exit.ts';
import { queueOf } from './root.ts';
import { startRun } from './run.ts';
import { type Stopping, stopping } from './stopping.ts';
import { readAudit, summaryRows, table } from './summary.ts';
import { type BorrowedUp, borrowUp } from './up/demo-up.ts';
import { UI_PORT } from './up/dev-server.ts';
import { pathsOf } from './watch/follow-run.ts';
import type { RunView } from './watch/run-view.ts';
import { workflowIdOf } from './watch/view-from-server.ts';
import { watchRun } from './watch/watch-run.ts';

interface DemoOptions {
  run?: string;
  stay?: boolean;
  spec: string;
}

export function define(program: Command): void {
  program
    .command('demo')
    .description(
      'Sets up what is missing, starts a Temporal server and a worker, trains a tiny policy under a tiny judge (GRPO), distils a grader (SFT) and audits it.\nExits with 0 when the run came to its end, whatever the audit says.',
    )
    .option('--run <name>', 'name of the run (default: demo-<date>-<time>)')
    .option('--stay', 'leave server and worker running')
    .addOption(new Option('--spec <file>', 'spec, under examples/').default('poly-easy.yaml').hideHelp())
    .action(async ({ run, stay, spec }: DemoOptions) => {
      const name = run ?? defaultName(new Date());
      process.exitCode = await demo(loadConfig(), { run: name, stay: stay ?? false, spec });
    });
}

/** demo-20250131-235959, local time. */
export function defaultName(now: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `demo-${date}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}

async function demo(config: Config, options: { run: string; stay: boolean; spec: string }): Promise<number> {
  const { run, stay } = options;
  const began = Date.now();
  const paths = pathsOf(config, run);
  const written = loadSpec(join(config.package_root, 'examples', options.spec), { run });
  const spec = onGpus(written, hasCudaEngine(config) ? await countGpus(config) : 0);
  const stop = stopping();
  console.log(
    `${paint.bold(`gavel demo ${run}`)}: a policy learns easy polynomials, a judge grades it, a grader learns from the judge.`,
  );
  const up = await borrowUp(config, { stay, stop });
  // Whether server and Web UI go on when the demo is over.
  const stays = stay || !up.own;
  let kept = false;
  try {
    if (stop.asked) return EXIT.interrupted;
    // The server of this demo, whatever other server the environment names.
    process.env.TEMPORAL_ADDRESS = up.state.address;
    const server = await connect(config);
    try {
      const { view, page } = await runOn(config, server, { spec, up, stop });
      if (view === null) return EXIT.interrupted;
      kept = stays;
      return await tell(view, paths, whereUiIs(page, stays ? up.state.ui : null), (Date.now() - began) / 1000);
    } finally {
      await server.close();
    }
  } finally {
    if (kept) sayHowToStop(up);
    else await up.end();
  }
}

interface Run {
  spec: Spec;
  up: BorrowedUp;
  stop: Stopping;
}

/** Starts the run and follows it to its end. `view: null`: the user asked to end first. `page` is its place in the Web UI. */
async function runOn(
  config: Config,
  server: Server,
  { spec, up, stop }: Run,
): Promise<{ view: RunView | null; page: string }> {
  if (up.own) await endLeftovers(server, queueOf(config));
  const { workflow_id } = await startRun(server, spec, queueOf(config));
  const page = `/namespaces/${server.namespace}/workflows/${encodeURIComponent(workflow_id)}`;
  console.log(`Web UI: ${up.state.ui}${page}\n`);
  const watching = watchRun(config, spec.run, () => stop.asked);
  const view = await Promise.race([watching, stop.promise.then(() => null), up.died]);
  if (!view || stop.asked) {
    await watching.catch(() => null);
    console.log('\nStopping (Ctrl-C again ends at once) ...');
    await cancelRun(server, spec.run);
    return { view: null, page };
  }
  return { view, page };
}

async function tell(view: RunView, paths: RunPaths, ui: string, seconds: number): Promise<number> {
  if (view.state !== 'done') {
    throw new CliError(
      `The run ${view.run} ${view.state}: ${view.failure ?? 'no reason is known'}.\nLogs: ${paths.logs}\nWeb UI  ${ui}`,
    );
  }
  const audit = await readAudit(paths);
  if (!audit) throw new CliError(`Expected ${paths.report.audit}, got no such file.`);
  const judge = await judgeTotals(paths.dir);
  const paid = { ...judge, calls: judge.calls - judge.replayed };
  console.log(`\n${table(summaryRows(audit, paid, seconds))}\n`);
  console.log(`Report  ${paths.report.html}\nWeb UI  ${ui}`);
  return EXIT.ok;
}

/** Where to see the run in the Web UI once the demo is over; `running` is null where the demo ends its server. */
export const whereUiIs = (page: string, running: string | null): string =>
  running === null
    ? `ended with the demo; to see the run again: \`npx gavel up\`, then http://127.0.0.1:${UI_PORT}${page}`
    : `${running}${page}`;

function sayHowToStop({ state, own }: BorrowedUp): void {
  console.log(
    own
      ? `Server and worker go on (pid ${state.pid}). End them with \`npx gavel down\`.`
      : `Server and worker were up before and go on.`,
  );
}

/** Cancels a run and waits until its stages have ended; terminates those that do not end in time. */
async function cancelRun(server: Server, run: string): Promise<void> {
  const handle = server.client.workflow.getHandle(workflowIdOf(run));
  try {
    await handle.cancel();
    // A trainer that is asked to stop needs a few seconds for its checkpoint.
    await server.connection.withDeadline(Date.now() + 15_000, () => handle.result());
  } catch {
    const id = workflowIdOf(run);
    await terminate(server, `WorkflowId = "${id}" OR WorkflowId STARTS_WITH "${id}/"`);
  }
}

/** A demo that was killed leaves its workflow in the database; a new worker would run it beside this one. */
async function endLeftovers(server: Server, queue: string): Promise<void> {
  await terminate(server, `WorkflowId STARTS_WITH "${workflowIdOf('demo-')}" AND TaskQueue = "${queue}"`);
}

async function terminate(server: Server, which: string): Promise<void> {
  try {
    for await (const { workflowId } of server.client.workflow.list({
      query: `ExecutionStatus = "Running" AND (${which})`,
    })) {
      await server.client.workflow.getHandle(workflowId).terminate('gavel demo was stopped');
    }
  } catch {
    // The workflow is closed already, or the server has ended: both are what was wanted.
  }
}
