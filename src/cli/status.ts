import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { type Config, loadConfig } from '../config.ts';
import { tryConnect } from './connect.ts';
import { plainLine, statusText } from './watch/draw-run.ts';
import { lookAtRun, pathsOf } from './watch/follow-run.ts';
import type { RunView } from './watch/run-view.ts';

export function define(program: Command): void {
  program
    .command('status')
    .argument('[run]', 'name of a run; without it all runs of this root are listed')
    .description('Shows where a run is. Works from the run directory alone where the Temporal server is away.')
    .option('--json', 'print it as JSON')
    .action(async (run: string | undefined, { json }: { json?: boolean }) => {
      const config = loadConfig();
      // Connecting to a server that is away takes seconds: a name that is none is refused before that.
      if (run !== undefined) pathsOf(config, run);
      const server = await tryConnect(config);
      const names = run === undefined ? await runNames(config) : [run];
      const views: RunView[] = [];
      for (const name of names) views.push(await lookAtRun(config, name, server));
      await server?.close();
      if (json)
        console.log(JSON.stringify(run === undefined ? views.map(asJson) : asJson(views[0] as RunView), null, 2));
      else if (run !== undefined) console.log(statusText(views[0] as RunView));
      else
        console.log(views.map(listLine).join('\n') || 'No runs yet. Start one: `gavel run examples/poly-easy.yaml`.');
    });
}

/** The stage that goes on now, its step and its figures at the top; everything else below. */
export function asJson(view: RunView) {
  const { run, state, stage } = view;
  const current = stage === 'grpo' || stage === 'sft' || stage === 'audit' ? view.stages[stage] : null;
  return {
    run,
    state,
    stage,
    step: current?.step ?? 0,
    total: current?.total ?? 0,
    phase: current?.phase ?? null,
    metrics: current?.metrics ?? {},
    checkpoint: current?.checkpoint ?? null,
    waiting: current?.waiting ?? null,
    processes: view.processes,
    interruptions: view.interruptions,
    stages: view.stages,
    verdict: view.verdict,
    report: view.report,
    failure: view.failure,
    notes: view.notes,
  };
}

const listLine = (view: RunView) =>
  `${view.run.padEnd(28)} ${view.state.padEnd(11)} ${view.state === 'running' ? plainLine(view) : (view.verdict ?? view.failure ?? '')}`;

/** Names of the runs of this root, newest last. */
async function runNames(config: Config): Promise<string[]> {
  const folder = join(config.root, 'runs');
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name);
  const times = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(folder, name))).birthtimeMs })),
  );
  return times.sort((a, b) => a.at - b.at).map(({ name }) => name);
}
