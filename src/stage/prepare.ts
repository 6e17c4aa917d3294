import { type Config, pythonEnv } from '../config.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { Outcome } from '../contracts/stage.ts';
import type { Heartbeat } from '../contracts/status.ts';
import { failure, invalidSpec } from '../failures.ts';
import { canonicalRubric, loadRubric } from '../judging/rubric.ts';
import { lastError } from '../process/last-error.ts';
import { startChild } from '../process/start-child.ts';
import { withoutQuotes } from '../process/without-quotes.ts';
import { type Claimant, createRun, type RunOwner } from '../run-directory/create-run.ts';
import { readContractIfAny, writeAtomic } from '../run-directory/files.ts';
import { type RunPaths, resolveUnder, runPaths } from '../run-directory/paths.ts';
import { keepTokenizers } from '../serving/tokenizer-folders.ts';
import { problemsHere } from '../spec/check-files.ts';
import { askForFit, refuseWhatCannotFit } from './fit.ts';
import { LiveView } from './live-view.ts';
import { stageTag } from './tags.ts';

export interface Prepare {
  config: Config;
  spec: Spec;
  owner: Claimant;
  resume: boolean;
  stillRuns: (owner: RunOwner) => Promise<boolean>;
  signal: AbortSignal;
  beat: (beat: Heartbeat) => void;
  /** Throws where another attempt has taken this one's place. */
  stillAsked: () => Promise<void>;
}

/**
 * Makes the run directory, with rubric and prompts, and publishes it whole; returns the spec's digest.
 * Throws InvalidSpec, DoesNotFit, RunExists, UnwritableRunDirectory; then nothing is left of what was made.
 */
export async function prepareRunDirectory(prepare: Prepare): Promise<string> {
  const { config, spec, owner, resume, stillRuns } = prepare;
  const problems = problemsHere(config, spec);
  if (problems.length > 0) throw invalidSpec(problems);
  const fill = async (building: RunPaths) => {
    // The run's own copy: an edit of the file between two stages must not change what is asked.
    const rubric = loadRubric(resolveUnder(config.root, spec.judge.rubric));
    await writeAtomic(building.rubric, canonicalRubric(rubric));
    await keepTokenizers(config, spec, building);
    await askForFit(config, spec, building);
    await makePrompts(prepare, building);
    await refuseWhatCannotFit(config, building);
    prepare.signal.throwIfAborted();
    await prepare.stillAsked();
  };
  const { spec_digest } = await createRun(config.root, spec, owner, { resume, stillRuns, fill }).catch(typed);
  return spec_digest;
}

function typed(error: unknown): never {
  if (!(error instanceof Error)) throw error;
  if (error.name === 'RunExists' || error.name === 'SpecChanged') throw failure('RunExists', error.message);
  if (error.name === 'RunDirectoryUnwritable') throw failure('UnwritableRunDirectory', error.message);
  throw error;
}

async function makePrompts({ config, spec, signal, beat }: Prepare, building: RunPaths): Promise<void> {
  const live = new LiveView('prepare', null, beat);
  const stopBeating = live.keepBeating();
  const logPath = building.log('prepare');
  try {
    const child = startChild({
      name: 'prepare',
      command: config.python,
      args: ['-m', 'gavel_train.run.prepare', building.dir],
      cwd: config.root,
      env: pythonEnv(
        config,
        [spec.task, ...spec.task.evaluate_on].every(({ path }) => path !== null),
      ),
      logPath,
      tag: stageTag(config.node, runPaths(config.root, spec.run), 'prepare'),
    });
    const abort = () => void child.stop(0).catch(() => undefined);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const { code, signal: killed } = await child.exited;
    signal.throwIfAborted();
    if (code === 0) return;
    const outcome = await readContractIfAny(building.data.outcome, Outcome);
    if (outcome?.status === 'bad_request') {
      throw invalidSpec([{ field: outcome.field ?? 'task', message: outcome.message }]);
    }
    const reason =
      (outcome && withoutQuotes(outcome.message)) ??
      (await lastError(logPath)) ??
      `it ended with ${killed ?? `exit code ${code}`}`;
    throw failure('TrainerDied', `The prompts could not be made: ${reason}`);
  } finally {
    stopBeating();
  }
}
