import { readSpec } from '../src/run-directory/create-run.ts';
import { runPaths } from '../src/run-directory/paths.ts';
import { renderingGateway } from '../src/stage/gateway-settings.ts';
import { runStage } from '../src/stage/run-stage.ts';
import { channels, type Dependencies } from './dependencies.ts';
import { refuseIfGivenUp } from './still-asked.ts';
import { type StageActivityInput, type StageSummary, summary } from './train-grpo.ts';
import { workflowOwner } from './workflow-owner.ts';

/** Trains the grader on the traces that GRPO left in the ledger. */
export const trainSft = (dependencies: Dependencies) =>
  async function trainSft({ run, spec_digest, gpus, reservation }: StageActivityInput): Promise<StageSummary> {
    const { config } = dependencies;
    await refuseIfGivenUp(dependencies.client);
    const spec = await readSpec(runPaths(config.root, run), spec_digest);
    const gateway = renderingGateway.bind(null, spec);
    const owner = await workflowOwner(dependencies);
    const stage = { config, spec, stage: 'sft', owner, gpus, reservation, gateway, secrets: {} } as const;
    return summary(await runStage({ ...channels(dependencies, run), ...stage }));
  };
