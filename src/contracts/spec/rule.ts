import type { z } from 'zod';
import type { ServeSpec } from './serve.ts';
import type { Spec } from './spec.ts';

/** What a rule between fields of a spec is made of. */

/** One thing that is wrong with a spec. */
export interface SpecProblem {
  /** Path of the field, say `grpo.steps`; empty for the spec as a whole. */
  field: string;
  message: string;
}

export type Rule = (spec: Spec) => SpecProblem | null;

/** A rule about one field: `broken` says what is wrong, or nothing. */
export const rule = (field: string, broken: (spec: Spec) => string | null | false): Rule => {
  return (spec) => {
    const message = broken(spec);
    return message ? { field, message } : null;
  };
};

/** GPUs that all copies of a served model take. */
export const gpusOf = (serve: ServeSpec) => serve.tensor_parallel_size * serve.data_parallel_size;

/** Whether servers that gavel starts sample the rollouts. */
export const hasPolicyServers = ({ rollout }: Spec['grpo']) => rollout === 'served' || rollout === 'vllm_server';

export const isDefault = (value: unknown, schema: z.ZodType) =>
  JSON.stringify(value) === JSON.stringify(schema.parse({}));
