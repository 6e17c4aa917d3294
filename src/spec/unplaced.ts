import type { Config } from '../config.ts';
import type { PlacementSpec } from '../contracts/spec/placement.ts';
import { gpusOf, hasPolicyServers } from '../contracts/spec/rule.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { countGpus } from '../gpus/list.ts';

/** The parts of a run that could use GPUs and that a spec places on none, with the smallest number that each takes. */
function unplaced({
  placement,
  policy,
  judge,
  grader,
  grpo,
  sft,
}: Spec): { part: string; field: keyof PlacementSpec; gpus: number }[] {
  const parts = [
    { part: 'the judge', field: 'judge_gpus', gpus: judge.engine === 'vllm' ? gpusOf(judge.serve) : 0 },
    { part: 'rollouts', field: 'rollout_gpus', gpus: hasPolicyServers(grpo) ? gpusOf(policy.serve) : 0 },
    { part: 'training', field: 'trainer_gpus', gpus: Math.max(grpo.processes, sft.processes) },
    { part: "the audit's models", field: 'grader_gpus', gpus: gpusOf(grader.serve) },
  ] as const;
  return parts.filter(({ field, gpus }) => gpus > 0 && placement[field] === 0);
}

/**
 * What to tell a person whose spec leaves parts of a run on the CPU of a machine with `gpus` GPUs, and which fields change that;
 * null where there is nothing to tell. 0 stays the default, since specs keep their meaning on every machine.
 */
export function unplacedNotice(spec: Spec, gpus: number): string | null {
  const left = unplaced(spec);
  if (gpus === 0 || left.length === 0) return null;
  const names = left.map(({ part }) => part);
  const parts = [names.slice(0, -1).join(', '), names.at(-1)].filter(Boolean).join(' and ');
  const { judge_gpus, rollout_gpus, trainer_gpus, grader_gpus } = {
    ...spec.placement,
    ...Object.fromEntries(left.map(({ field, gpus }) => [field, gpus])),
  };
  const at_once = Math.max(judge_gpus + rollout_gpus + trainer_gpus, grader_gpus * (spec.audit.base ? 2 : 1));
  const fields = left.map(({ field, gpus }) => `${field}: ${gpus}`).join(', ');
  return (
    `This machine has ${gpus} ${gpus === 1 ? 'GPU' : 'GPUs'}, and the spec places none for ${parts}: they run on the CPU, ` +
    `where a vLLM that is built for CUDA does not start. To use GPUs, add to the spec: placement: { ${fields} }. ` +
    `A stage leases all that it needs at once, in this run then ${at_once}.`
  );
}

/** The same for the machine that this process runs on. */
export const unplacedHere = async (
  config: Pick<Config, 'gpus' | 'cuda_visible_devices'>,
  spec: Spec,
): Promise<string | null> => unplacedNotice(spec, await countGpus(config));
