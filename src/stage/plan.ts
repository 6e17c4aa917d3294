import type { Plan } from '../contracts/plan.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { readOwner, readStoredSpec } from '../run-directory/create-run.ts';
import { sha256File } from '../run-directory/digest.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { policyEndpoints, servedModel } from '../serving/served-model.ts';

/** The plan of a prepared run. Throws where its spec is not the one that the run was made with. */
export async function readPlan(paths: RunPaths): Promise<Plan> {
  const owner = await readOwner(paths);
  const { spec, digest } = await readStoredSpec(paths, owner?.spec_digest);
  return planOf(spec, { spec_digest: digest, rubric_digest: await sha256File(paths.rubric) });
}

/** What the workflows need of a spec: scalars and names. */
export function planOf(spec: Spec, digests: Pick<Plan, 'spec_digest' | 'rubric_digest'>): Plan {
  const { task, policy, judge, grpo, sft, audit, limits, placement } = spec;
  const served = audit.base ? 'grader and base' : 'grader';
  return {
    ...digests,
    limits,
    placement,
    serves_judge: judge.engine === 'vllm',
    policy_servers: policyEndpoints(spec),
    pushes_weights: grpo.rollout === 'vllm_server',
    audits_base: audit.base,
    models: {
      policy: policy.model,
      judge: judge.model,
      grader: servedModel(spec, 'grader').model,
      base: servedModel(spec, 'base').model,
    },
    summaries: {
      run: `${task.name}: GRPO of ${policy.model}, graded by ${judge.model}`,
      grpo: `GRPO: ${grpo.steps} steps of ${grpo.prompts_per_step} prompts x ${grpo.num_generations} completions`,
      sft: `SFT: LoRA of rank ${sft.lora.r} on the judge's traces`,
      audit: `Audit: ${served} against the judge and the truth`,
    },
  };
}
