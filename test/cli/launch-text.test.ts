import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { launchText } from '../../src/cli/fit.ts';
import { loadSpec } from '../../src/spec/load-spec.ts';

const spec = loadSpec('examples/gsm8k-8xh100.yaml');

it('shows what accelerate gets, a document for each stage of several ranks on GPUs', () => {
  const sharded = { ...spec, grpo: { ...spec.grpo, sharding: 'fsdp2' as const, rollout: 'vllm_server' as const } };
  const [grpo, sft] = parseAllDocuments(launchText(sharded)).map((document) => document.toJS());
  expect(grpo).toMatchObject({ distributed_type: 'FSDP', num_processes: 4, fsdp_config: { fsdp_version: 2 } });
  expect(sft).toMatchObject({ distributed_type: 'MULTI_GPU', num_processes: 4, mixed_precision: 'bf16' });
  const flagged = { ...spec, grpo: { ...spec.grpo, accelerate_args: ['--offload-optimizer-device', 'cpu'] } };
  expect(launchText(flagged)).toContain('# grpo.accelerate_args outrank it: --offload-optimizer-device cpu');
  const one = { ...spec, sft: { ...spec.sft, processes: 1 } };
  expect(parseAllDocuments(launchText(one))).toHaveLength(1);
});

it('says why there is nothing to show', () => {
  expect(() => launchText(loadSpec('examples/poly-easy.yaml'))).toThrow('placement.trainer_gpus');
});
