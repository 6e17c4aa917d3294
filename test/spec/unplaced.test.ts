import { describe, expect, it } from 'vitest';
import { checkSpec } from '../../src/contracts/spec/check.ts';
import { Spec } from '../../src/contracts/spec/spec.ts';
import { loadSpec } from '../../src/spec/load-spec.ts';
import { unplacedHere, unplacedNotice } from '../../src/spec/unplaced.ts';

const base = loadSpec('examples/poly-easy.yaml');
const spec = (change: Record<string, unknown>) => Spec.parse({ ...base, ...change });
const outside = { ...base.judge, engine: 'openai', base_url: 'https://judge.example/v1' };

describe('the notice of a spec that leaves parts of a run on the CPU', () => {
  it('names the GPUs of the machine, the parts, and the fields that place them', () => {
    expect(unplacedNotice(base, 8)).toBe(
      "This machine has 8 GPUs, and the spec places none for the judge, training and the audit's models: they run on the CPU, " +
        'where a vLLM that is built for CUDA does not start. To use GPUs, add to the spec: ' +
        'placement: { judge_gpus: 1, trainer_gpus: 1, grader_gpus: 1 }. ' +
        'A stage leases all that it needs at once, in this run then 2.',
    );
  });

  it('offers the numbers that the rest of the spec asks for', () => {
    const judge = { ...base.judge, serve: { tensor_parallel_size: 2, data_parallel_size: 2 } };
    const notice = unplacedNotice(spec({ judge, grpo: { ...base.grpo, processes: 4 } }), 8);
    expect(notice).toContain('{ judge_gpus: 4, trainer_gpus: 4, grader_gpus: 1 }');
    expect(notice).toContain('in this run then 8.');
  });

  it('places the servers that sample rollouts too', () => {
    const policy = { ...base.policy, serve: { data_parallel_size: 2 } };
    const notice = unplacedNotice(spec({ policy, grpo: { rollout: 'served', lora: {} } }), 8);
    expect(unplacedNotice(spec({ policy, grpo: { rollout: 'vllm_server' } }), 8)).toBe(notice);
    expect(notice).toContain('{ judge_gpus: 1, rollout_gpus: 2, trainer_gpus: 1, grader_gpus: 1 }');
    expect(notice).toContain('in this run then 4.');
  });

  it('is not given once the spec has what it offers, which is a valid placement', () => {
    const placement = { judge_gpus: 1, trainer_gpus: 1, grader_gpus: 1 };
    expect(checkSpec({ ...base, placement }).problems).toEqual([]);
    expect(unplacedNotice(spec({ placement }), 8)).toBeNull();
  });

  it('leaves out what runs elsewhere or is placed', () => {
    const notice = unplacedNotice(spec({ judge: outside, placement: { grader_gpus: 1 } }), 1);
    expect(notice).toContain('This machine has 1 GPU, and the spec places none for training:');
    expect(notice).toContain('placement: { trainer_gpus: 1 }');
  });

  it('is not given on a machine without GPUs', async () => {
    expect(unplacedNotice(base, 0)).toBeNull();
    expect(await unplacedHere({ gpus: [], cuda_visible_devices: null }, base)).toBeNull();
  });

  it('counts the GPUs that this machine may use', async () => {
    expect(await unplacedHere({ gpus: ['a', 'b'], cuda_visible_devices: null }, base)).toContain('has 2 GPUs');
  });
});
