import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../config.ts';
import { plainDeep } from '../../plain-text.ts';
import { InvalidRunName, type RunPaths, runPaths } from '../../run-directory/paths.ts';
import { type Server, tryConnect } from '../connect.ts';
import { CliError, EXIT } from '../exit.ts';
import { queueIfAny } from '../root.ts';
import { readUp } from '../up/state.ts';
import { emptyView, isOver, type RunView } from './run-view.ts';
import { viewFromDisk } from './view-from-disk.ts';
import { addServerView } from './view-from-server.ts';

/** Paths of a run named on the command line. */
export function pathsOf(config: Config, run: string): RunPaths {
  try {
    return runPaths(config.root, run);
  } catch (error) {
    if (error instanceof InvalidRunName) throw new CliError(error.message, { code: EXIT.usage });
    throw error;
  }
}

/** One look at a run; `server` null looks at the disk alone. Throws CliError where neither server nor disk has the run. */
export async function lookAtRun(config: Config, run: string, server: Server | null): Promise<RunView> {
  const paths = pathsOf(config, run);
  const onDisk = await viewFromDisk(paths);
  const view = onDisk ?? emptyView(run);
  let known = false;
  if (server) {
    try {
      known = await addServerView(server, view, queueIfAny(config));
      if (!known) view.notes.push('The Temporal server does not know this run: figures are from the run directory.');
    } catch {
      view.notes.push(`Temporal does not answer at ${server.address}: figures are from the run directory.`);
    }
  } else {
    view.notes.push('Temporal is not reachable: figures are from the run directory.');
  }
  if (!onDisk && !known) {
    throw new CliError(`Expected a run named ${run} in ${config.root}/runs or on the Temporal server, got neither.`, {
      hint: 'List runs with `gavel status`.',
    });
  }
  if (!known && onDisk) view.state = view.stage === 'done' ? 'done' : 'unknown';
  addOwnWorker(config, view);
  // Failures, phases and names of hosts come from other programs and from files.
  return plainDeep(view);
}

/** Between two stages no heartbeat names the worker of `gavel up`, although it runs. */
function addOwnWorker(config: Config, view: RunView): void {
  const pid = readUp(config)?.worker_pid;
  if (!pid || view.processes.some(({ role }) => role === 'worker')) return;
  view.processes.push({ role: 'worker', pid, host: hostname(), epoch: null });
}

/** Looks at a run again and again until it is over; the last view is the final one. */
export async function* followRun(
  config: Config,
  run: string,
  { interval_ms = 1000, stopped = () => false }: { interval_ms?: number; stopped?: () => boolean } = {},
): AsyncGenerator<RunView> {
  let server = await tryConnect(config);
  try {
    while (!stopped()) {
      const view = await lookAtRun(config, run, server);
      yield view;
      if (isOver(view)) return;
      await sleep(interval_ms);
      server ??= await tryConnect(config);
    }
  } finally {
    await server?.close();
  }
}
