import { describe, expect, it } from 'vitest';
import { vllmCommand } from '../../src/serving/engines/vllm.ts';
import { policyEndpoints, servedModel } from '../../src/serving/served-model.ts';
import { loadSpec } from '../../src/spec/load-spec.ts';
import { trainerCommand } from '../../src/stage/trainer-command.ts';

const spec = loadSpec('examples/gsm8k-8xh100.yaml');
const gpus = Array.from({ length: 8 }, (_, index) => `GPU-${index}`);

describe('the command lines of examples/gsm8k-8xh100.yaml', () => {
  it('fill one node of eight GPUs in GRPO: two for the judge, two for rollouts, four for the trainer', () => {
    expect(spec.placement).toMatchObject({ judge_gpus: 2, rollout_gpus: 2, trainer_gpus: 4 });
    expect(spec.grpo.processes).toBe(4);
  });

  it('serve the judge on its two GPUs', () => {
    const { args, env } = vllmCommand({
      location: { kind: 'hub', name: spec.judge.model, revision: spec.judge.revision ?? '' },
      api_key: 'gavel-key',
      served_name: spec.judge.model,
      host: '127.0.0.1',
      port: 8001,
      serve: spec.judge.serve,
      allow_args: [],
      gpus: gpus.slice(0, 2),
    });
    const line = args.join(' ');
    expect(line).toContain(
      '-m gavel_train.serving.vllm --model Qwen/Qwen2.5-7B-Instruct --revision a09a35458c702b33eeacc393d103063234e8bc28 ' +
        '--served-model-name Qwen/Qwen2.5-7B-Instruct',
    );
    expect(line).toContain('--host 127.0.0.1 --port 8001');
    expect(spec.judge.serve.tensor_parallel_size * spec.judge.serve.data_parallel_size).toBe(2);
    expect(line).toMatch(/--(tensor|data)-parallel-size 2/);
    expect(line).not.toContain('--enforce-eager');
    expect(line).not.toContain('chunked-prefill');
    // Nothing that a request leaves open comes from the model's own generation_config.json.
    expect(line).toContain('--generation-config vllm');
    expect(line).not.toContain('gavel-key');
    expect(env).toEqual({ CUDA_VISIBLE_DEVICES: 'GPU-0,GPU-1', VLLM_API_KEY: 'gavel-key' });
  });

  it('serve the policy once a GPU, with room for its adapters and log-probabilities as sampled', () => {
    expect(policyEndpoints(spec)).toEqual(['policy-0', 'policy-1']);
    const { serve, adapters } = servedModel(spec, 'policy');
    const { args, env } = vllmCommand({
      location: { kind: 'hub', name: spec.policy.model, revision: spec.policy.revision ?? '' },
      api_key: 'gavel-key',
      served_name: spec.policy.model,
      host: '127.0.0.1',
      port: 8002,
      serve,
      adapters,
      allow_args: [],
      gpus: gpus.slice(2, 3),
    });
    const line = args.join(' ');
    expect(line).toContain('--enable-lora --max-lora-rank 32 --max-loras 3 --max-cpu-loras 3');
    expect(line).toContain('--logprobs-mode processed_logprobs');
    expect(line).not.toContain('--data-parallel-size');
    expect(env).toMatchObject({ CUDA_VISIBLE_DEVICES: 'GPU-2', VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True' });
  });

  it('serve the policy in the precision that it is trained in, where its own section leaves it open', () => {
    const open = { ...spec, policy: { ...spec.policy, serve: { ...spec.policy.serve, dtype: 'auto' as const } } };
    expect(servedModel(open, 'policy').serve.dtype).toBe('bfloat16');
  });

  it('train on the other four through accelerate', () => {
    const { args, env, config } = trainerCommand('grpo', spec, '/run/grpo/epochs/000001', gpus.slice(4), []);
    expect(args.join(' ')).toBe(
      '-m accelerate.commands.launch --config_file /run/grpo/epochs/000001/accelerate.yaml -m gavel_train.policy.grpo /run/grpo/epochs/000001',
    );
    expect(config?.path).toBe('/run/grpo/epochs/000001/accelerate.yaml');
    expect(env).toEqual({ CUDA_VISIBLE_DEVICES: 'GPU-4,GPU-5,GPU-6,GPU-7' });
  });
});

describe('full fine-tuning that pushes its weights to a server', () => {
  const { grpo, policy } = spec;
  const pushed = { ...spec, grpo: { ...grpo, rollout: 'vllm_server' as const, lora: null, max_staleness: 0 } };

  it('has one server, which takes weights from a trainer and says the log-probabilities that it sampled with', () => {
    expect(
      policyEndpoints({ ...pushed, policy: { ...policy, serve: { ...policy.serve, data_parallel_size: 1 } } }),
    ).toEqual(['policy-0']);
    const { serve, adapters, takes_weights } = servedModel(pushed, 'policy');
    const { args, env } = vllmCommand({
      location: { kind: 'folder', path: '/m' },
      ...{ api_key: 'gavel-key', served_name: 'policy', host: '127.0.0.1', port: 8002 },
      ...{ serve, adapters, takes_weights, allow_args: [], gpus: gpus.slice(2, 3) },
    });
    expect(args.join(' ')).toContain('--weight-transfer-config {"backend": "nccl"} --logprobs-mode processed_logprobs');
    expect(args).not.toContain('--enable-lora');
    expect(args).toContain('gavel_train.serving.every_path.KeyOnEveryPath');
    expect(env).toEqual({ CUDA_VISIBLE_DEVICES: 'GPU-2', VLLM_SERVER_DEV_MODE: '1', VLLM_API_KEY: 'gavel-key' });
  });

  it('opens no routes for development on a server that takes no weights', () => {
    const { serve, adapters } = servedModel(spec, 'policy');
    const { args, env } = vllmCommand({
      location: { kind: 'folder', path: '/m' },
      ...{ api_key: 'gavel-key', served_name: 'policy', host: '127.0.0.1', port: 8002 },
      ...{ serve, adapters, allow_args: [], gpus: gpus.slice(2, 3) },
    });
    expect(args).not.toContain('--weight-transfer-config');
    expect(env).not.toHaveProperty('VLLM_SERVER_DEV_MODE');
  });

  it('trains through accelerate with nothing that a spec would have to say of the server', () => {
    const { args, env } = trainerCommand('grpo', pushed, '/run/grpo/epochs/000001', gpus.slice(4), []);
    expect(args).toEqual(trainerCommand('grpo', spec, '/run/grpo/epochs/000001', gpus.slice(4), []).args);
    expect(env).toEqual({ CUDA_VISIBLE_DEVICES: 'GPU-4,GPU-5,GPU-6,GPU-7' });
  });
});

it('a trainer sees one GPU for each of its processes, whatever the stage has leased', () => {
  const one = { ...spec, sft: { ...spec.sft, processes: 1 } };
  expect(trainerCommand('sft', one, '/epoch', gpus, []).env).toEqual({ CUDA_VISIBLE_DEVICES: 'GPU-0' });
});

describe('without GPUs', () => {
  it('a trainer is one process with one thread, so that sums keep their order', () => {
    const { args, env } = trainerCommand('sft', { ...spec, sft: { ...spec.sft, processes: 1 } }, '/epoch', [], []);
    expect(args).toEqual(['-m', 'gavel_train.grader.train', '/epoch']);
    expect(env).toMatchObject({ CUDA_VISIBLE_DEVICES: '', OMP_NUM_THREADS: '1' });
  });

  it('several ranks go through torchrun, since accelerate launch would start one', () => {
    const { args } = trainerCommand('grpo', { ...spec, grpo: { ...spec.grpo, processes: 2 } }, '/epoch', [], []);
    expect(args.join(' ')).toBe(
      '-m torch.distributed.run --standalone --nproc_per_node 2 -m gavel_train.policy.grpo /epoch',
    );
  });

  it('vLLM runs eagerly, unbound and with a small cache', () => {
    const { args, env } = vllmCommand({
      location: { kind: 'folder', path: '/m' },
      api_key: 'gavel-key',
      served_name: 'm',
      host: '127.0.0.1',
      port: 1,
      serve: { ...spec.judge.serve, dtype: 'float32' },
      allow_args: [],
      gpus: [],
    });
    expect(args).toContain('--enforce-eager');
    expect(args).toContain('--no-enable-chunked-prefill');
    expect(args).not.toContain('--gpu-memory-utilization');
    expect(env).toMatchObject({ VLLM_CPU_KVCACHE_SPACE: '1', VLLM_CPU_OMP_THREADS_BIND: 'nobind' });
  });
});

describe('flags of a spec that could load code or bind an address', () => {
  it('start no vLLM', () => {
    const serve = { ...spec.judge.serve, extra_args: ['--trust-remote-code'] };
    const location = { kind: 'folder', path: '/m' } as const;
    const options = { location, served_name: 'm', api_key: '', host: '127.0.0.1', port: 1, serve, gpus: [] };
    expect(() => vllmCommand({ ...options, allow_args: [] })).toThrow('--trust-remote-code');
    expect(vllmCommand({ ...options, allow_args: ['--trust-remote-code'] }).args).toContain('--trust-remote-code');
  });

  it.each(['--module', '--main_process_ip=0.0.0.0', '--config_file=x', 'script.py'])('start no trainer: %s', (arg) => {
    const evil = { ...spec, grpo: { ...spec.grpo, accelerate_args: [arg] } };
    expect(() => trainerCommand('grpo', evil, '/epoch', gpus, [])).toThrow(arg);
  });
});
