import type { Spec } from '../src/contracts/spec/spec.ts';
import type { Preemption } from '../src/contracts/status.ts';
import { readSpec } from '../src/run-directory/create-run.ts';
import { runPaths } from '../src/run-directory/paths.ts';
import { readPreemptions } from '../src/run-directory/preemptions.ts';
import { prepareRunDirectory } from '../src/stage/prepare.ts';
import { registeredSearchAttributes } from '../src/temporal/search-attributes.ts';
import { channels, type Dependencies } from './dependencies.ts';
import { refuseIfGivenUp } from './still-asked.ts';

export interface PrepareRunInput {
  spec: Spec;
  owner: { workflow_id: string; run_id: string };
  resume: boolean;
}

export interface PreparedRun {
  spec_digest: string;
  /** gavel's search attributes that this server knows. */
  search_attributes: string[];
  /** What the run was through before this workflow took it up. */
  preemptions: Preemption[];
}

/** Checks all that a spec names, makes the run directory and its prompts; bad input leaves nothing behind. */
export const prepareRun = (dependencies: Dependencies) =>
  async function prepareRun({ spec, owner, resume }: PrepareRunInput): Promise<PreparedRun> {
    const { signal, beat } = channels(dependencies, spec.run);
    const { config, client } = dependencies;
    const stillAsked = () => refuseIfGivenUp(client);
    const spec_digest = await prepareRunDirectory({ config, spec, owner, resume, signal, beat, stillAsked });
    const { preemptions } = runPaths(dependencies.config.root, spec.run).report;
    return {
      spec_digest,
      search_attributes: await registeredSearchAttributes(dependencies.client),
      preemptions: (await readPreemptions(preemptions).catch(() => null)) ?? [],
    };
  };

/** Reads what a stage needs to know when it is started alone. */
export const readRun = (dependencies: Dependencies) =>
  async function readRun({ run }: { run: string }): Promise<{ spec: Spec; search_attributes: string[] }> {
    const spec = await readSpec(runPaths(dependencies.config.root, run));
    return { spec, search_attributes: await registeredSearchAttributes(dependencies.client) };
  };
