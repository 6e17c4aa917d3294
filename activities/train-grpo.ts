import { readSpec } from '../src/run-directory/create-run.ts';
import { runPaths } from '../src/run-directory/paths.ts';
import { judgeSecrets } from '../src/serving/engines/openai.ts';
import { judgeGateway } from '../src/stage/gateway-settings.ts';
import { runStage } from '../src/stage/run-stage.ts';
import { channels, type Dependencies } from './dependencies.ts';
import { refuseIfGivenUp } from './still-asked.ts';
import { workflowOwner } from './workflow-owner.ts';

export interface StageActivityInput {
  run: string;
  /** Digest of the spec in the run directory. */
  spec_digest: string;
  gpus: string[];
  /** Id of the reservation that the GPUs are leased for. */
  reservation: string;
}

/** What a workflow keeps of a stage: scalars and names. */
export interface StageSummary {
  epoch: number;
  step: number;
  checkpoint: string | null;
  metrics: Record<string, number | null>;
}

/** Trains the policy under the judge, samples the audit's rows and has the judge grade them. */
export const trainGrpo = (dependencies: Dependencies) =>
  async function trainGrpo({ run, spec_digest, gpus, reservation }: StageActivityInput): Promise<StageSummary> {
    const { config } = dependencies;
    await refuseIfGivenUp(dependencies.client);
    const spec = await readSpec(runPaths(config.root, run), spec_digest);
    const secrets = judgeSecrets(config, spec.judge);
    const gateway = judgeGateway.bind(null, config, spec);
    return summary(
      await runStage({
        ...channels(dependencies, run),
        config,
        spec,
        stage: 'grpo',
        owner: await workflowOwner(dependencies),
        gpus,
        reservation,
        gateway,
        secrets,
      }),
    );
  };

/** Keeps paths, rows and times out of Temporal's history. */
export function summary({ epoch, step, checkpoint, metrics }: StageSummary): StageSummary {
  return { epoch, step, checkpoint, metrics };
}
