import type { Spec } from '../src/contracts/spec/spec.ts';
import { shared } from './activity-options.ts';
import type { Leaving } from './control.ts';

/** Argument of a stage's workflow: the run alone is enough, so that a stage can be started by hand. */
export interface StageInput {
  run: string;
  spec?: Spec;
  search_attributes?: string[];
  /** Nodes that will be taken away. */
  leaving?: Leaving;
}

export type ResolvedStageInput = Required<Omit<StageInput, 'leaving'>>;

/** Fills in what the caller left out from the run directory. */
export async function resolveStageInput(input: StageInput): Promise<ResolvedStageInput> {
  if (input.spec && input.search_attributes)
    return { ...input, spec: input.spec, search_attributes: input.search_attributes };
  const { spec, search_attributes } = await shared('Read the spec of the run').readRun({ run: input.run });
  return { run: input.run, spec, search_attributes };
}
