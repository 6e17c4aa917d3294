import type { InterruptionTotals } from '../src/contracts/interruption.ts';
import type { Plan } from '../src/contracts/plan.ts';
import type { Spec } from '../src/contracts/spec/spec.ts';
import type { RunOwner } from '../src/run-directory/create-run.ts';
import { readInterruptions, totalsOf } from '../src/run-directory/interruptions.ts';
import { runPaths } from '../src/run-directory/paths.ts';
import { unplacedHere } from '../src/spec/unplaced.ts';
import { readPlan } from '../src/stage/plan.ts';
import { prepareRunDirectory } from '../src/stage/prepare.ts';
import { registeredSearchAttributes } from '../src/temporal/search-attributes.ts';
import { namespaceId, workflowRuns } from '../src/temporal/workflow-runs.ts';
import { channels, type Dependencies } from './dependencies.ts';
import { refuseIfGivenUp } from './still-asked.ts';

export interface PrepareRunInput {
  spec: Spec;
  owner: { workflow_id: string; run_id: string };
  resume: boolean;
}

/** What a workflow gets to know about its run. */
export interface KnownRun {
  plan: Plan;
  /** gavel's search attributes that this server knows. */
  search_attributes: string[];
  /** Interruptions of the run so far. */
  interruptions: InterruptionTotals;
}

/** Checks all that a spec names, makes the run directory and its prompts; bad input leaves nothing behind. */
export const prepareRun = (dependencies: Dependencies) =>
  async function prepareRun({ spec, owner, resume }: PrepareRunInput): Promise<KnownRun> {
    const { signal, beat } = channels(dependencies, spec.run);
    const { config, client, namespace } = dependencies;
    const claimant = { ...owner, namespace, namespace_id: await namespaceId(client, namespace) };
    const stillAsked = () => refuseIfGivenUp(client);
    // Asks about the newest execution of the workflow, because the run may have been continued since its first.
    const stillRuns = ({ first_run_id: _, spec_digest: __, ...found }: RunOwner) =>
      workflowRuns(client, { kind: 'workflow', ...found, run_id: '' });
    await prepareRunDirectory({ config, spec, owner: claimant, resume, signal, beat, stillAsked, stillRuns });
    // The person may have started the run from a machine without GPUs. Not awaited: a driver that hangs must not hold up the run.
    void unplacedHere(config, spec).then((notice) => notice && console.warn(`Run ${spec.run}: ${notice}`));
    return know(dependencies, spec.run);
  };

/** Reads what a stage needs to know when it is started alone. */
export const readRun = (dependencies: Dependencies) =>
  async function readRun({ run }: { run: string }): Promise<KnownRun> {
    return know(dependencies, run);
  };

async function know({ config, client }: Dependencies, run: string): Promise<KnownRun> {
  const paths = runPaths(config.root, run);
  return {
    plan: await readPlan(paths),
    search_attributes: await registeredSearchAttributes(client),
    interruptions: totalsOf(await readInterruptions(paths.report.interruptions).catch(() => [])),
  };
}
