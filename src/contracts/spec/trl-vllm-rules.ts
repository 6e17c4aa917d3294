import { isDefault, type Rule, rule } from './rule.ts';
import { ServeSpec } from './serve.ts';

/** What TRL's own vLLM modes need: a GPU for the trainer, and all weights to push into vLLM. */

const isTrls = (rollout: string): boolean => rollout.startsWith('vllm_');

export const trlVllm: Rule[] = [
  rule(
    'placement.trainer_gpus',
    ({ placement, grpo }) =>
      isTrls(grpo.rollout) &&
      placement.trainer_gpus === 0 &&
      `expected grpo.processes = ${grpo.processes}: TRL pushes weights into vLLM from a GPU, with grpo.rollout ${grpo.rollout}; found 0. On the CPU take grpo.rollout cached`,
  ),
  rule(
    'grpo.lora',
    ({ grpo }) =>
      isTrls(grpo.rollout) &&
      grpo.lora !== null &&
      `expected null: with grpo.rollout ${grpo.rollout} TRL merges an adapter into the weights and out again at each step, which changes them in bfloat16. For an adapter take grpo.rollout served`,
  ),
  rule(
    'policy.serve.data_parallel_size',
    ({ policy, grpo }) =>
      grpo.rollout === 'vllm_server' &&
      policy.serve.data_parallel_size > 1 &&
      `expected 1: TRL asks one server, and pushes weights into one copy; found ${policy.serve.data_parallel_size}. Raise policy.serve.tensor_parallel_size`,
  ),
  rule('policy.serve', ({ policy: { serve }, grpo }) => {
    const { max_model_len: _, gpu_memory_utilization: __, ...others } = serve;
    const set = { ...ServeSpec.parse({}), ...others };
    return (
      grpo.rollout === 'vllm_colocate' &&
      !isDefault(set, ServeSpec) &&
      'expected max_model_len and gpu_memory_utilization alone: TRL passes nothing else on to the vLLM of grpo.rollout vllm_colocate'
    );
  }),
];
