import { readSpec } from '../src/run-directory/create-run.ts';
import { runPaths } from '../src/run-directory/paths.ts';
import { auditGateway } from '../src/stage/gateway-settings.ts';
import { runStage } from '../src/stage/run-stage.ts';
import { channels, type Dependencies } from './dependencies.ts';
import { refuseIfGivenUp } from './still-asked.ts';
import { type StageActivityInput, type StageSummary, summary } from './train-grpo.ts';
import { workflowOwner } from './workflow-owner.ts';

/** Has grader and base grade the rows that the judge graded, and measures them. */
export const auditGrader = (dependencies: Dependencies) =>
  async function auditGrader({ run, spec_digest, gpus, reservation }: StageActivityInput): Promise<StageSummary> {
    const { config } = dependencies;
    await refuseIfGivenUp(dependencies.client);
    const spec = await readSpec(runPaths(config.root, run), spec_digest);
    const gateway = auditGateway.bind(null, spec);
    return summary(
      await runStage({
        ...channels(dependencies, run),
        config,
        spec,
        stage: 'audit',
        owner: await workflowOwner(dependencies),
        gpus,
        reservation,
        gateway,
        secrets: {},
      }),
    );
  };
