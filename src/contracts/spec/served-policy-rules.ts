import { gpusOf, hasPolicyServers, isDefault, type Rule, rule } from './rule.ts';
import { SamplingSpec } from './sampling.ts';
import { ServeSpec } from './serve.ts';

/** What a spec must say, and must not say, about a policy that samples in servers of its own. */

// The largest of the ranks that vLLM's --max-lora-rank takes.
const LARGEST_RANK = 512;

export const servedPolicy: Rule[] = [
  rule(
    'policy.serve',
    ({ policy, grpo }) =>
      !hasPolicyServers(grpo) &&
      grpo.rollout !== 'vllm_colocate' &&
      !isDefault(policy.serve, ServeSpec) &&
      `expected nothing: no vLLM samples with grpo.rollout ${grpo.rollout}`,
  ),
  rule(
    'policy.sampling',
    ({ policy }) =>
      !isDefault(policy.sampling, SamplingSpec) &&
      'expected nothing: the fields of grpo from temperature to stop, and audit.temperature, say how the policy samples',
  ),
  rule(
    'policy.extra_body',
    ({ policy }) =>
      Object.keys(policy.extra_body).length > 0 &&
      'expected nothing: gavel sets every field of a request for rollouts itself',
  ),
  rule(
    'grpo.rollout',
    ({ grpo }) =>
      grpo.rollout === 'served' &&
      grpo.lora === null &&
      'expected cached, transformers, vllm_colocate or vllm_server: served publishes an adapter at each step, and grpo.lora is null',
  ),
  rule(
    'grpo.lora.r',
    ({ grpo }) =>
      grpo.rollout === 'served' &&
      (grpo.lora?.r ?? 0) > LARGEST_RANK &&
      `expected at most ${LARGEST_RANK}, the highest rank that vLLM serves; found ${grpo.lora?.r}`,
  ),
  rule(
    'grpo.lora.dropout',
    ({ grpo }) =>
      grpo.rollout === 'served' &&
      grpo.importance_sampling !== 'none' &&
      (grpo.lora?.dropout ?? 0) > 0 &&
      `expected 0: servers sample without dropout, and grpo.importance_sampling ${grpo.importance_sampling} would take its noise for a difference between sampler and trainer; found ${grpo.lora?.dropout}`,
  ),
  rule('grpo.importance_sampling', ({ grpo }) => {
    const { top_p, top_k, min_p, repetition_penalty } = grpo;
    const filtered = top_p < 1 || top_k > 0 || min_p > 0 || repetition_penalty !== 1;
    return (
      !['cached', 'transformers'].includes(grpo.rollout) &&
      filtered &&
      !['none', 'token_truncate'].includes(grpo.importance_sampling) &&
      `expected none or token_truncate: the sampler leaves tokens out by top_p, top_k, min_p or repetition_penalty, and over a completion the ratio would fall towards 0; found ${grpo.importance_sampling}`
    );
  }),
  rule(
    'grpo.max_staleness',
    ({ grpo }) =>
      grpo.max_staleness > 0 &&
      grpo.rollout !== 'served' &&
      `expected 0: only grpo.rollout served can sample while the trainer trains; found grpo.rollout ${grpo.rollout}`,
  ),
  rule(
    'grpo.processes',
    ({ grpo }) =>
      grpo.rollout === 'served' &&
      grpo.prompts_per_step % grpo.processes !== 0 &&
      `expected a divisor of prompts_per_step = ${grpo.prompts_per_step}, so that no group spans two ranks; found ${grpo.processes}`,
  ),
  rule(
    'placement.rollout_gpus',
    ({ placement, grpo }) =>
      placement.rollout_gpus > 0 &&
      !hasPolicyServers(grpo) &&
      `expected 0: only grpo.rollout served and vllm_server have servers for rollouts; found grpo.rollout ${grpo.rollout}`,
  ),
  rule('placement.rollout_gpus', ({ placement, policy, grpo }) => {
    const wanted = gpusOf(policy.serve);
    return (
      hasPolicyServers(grpo) &&
      placement.rollout_gpus > 0 &&
      placement.rollout_gpus !== wanted &&
      `expected policy.serve.tensor_parallel_size * data_parallel_size = ${wanted}; found ${placement.rollout_gpus}`
    );
  }),
  rule(
    'placement.rollout_gpus',
    ({ placement, grpo }) =>
      hasPolicyServers(grpo) &&
      placement.rollout_gpus === 0 &&
      placement.trainer_gpus > 0 &&
      'expected the GPUs of policy.serve: with 0 the servers for rollouts run on the CPU while the trainer has GPUs',
  ),
];
