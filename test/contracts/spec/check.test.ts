import { describe, expect, it } from 'vitest';
import { checkSpec } from '../../../src/contracts/spec/check.ts';
import { suggestion } from '../../../src/contracts/spec/problems.ts';

const good = {
  run: 'a-run',
  task: { name: 'poly_easy' },
  policy: { model: 'models/policy' },
  judge: { model: 'models/judge', rubric: 'rubric.yaml' },
  base: { model: 'models/base' },
};

/** Full fine-tuning whose weights go to a server on a GPU of its own. */
const pushed = { grpo: { rollout: 'vllm_server' }, placement: { trainer_gpus: 1, rollout_gpus: 1 } };
const servedOnTwo = { policy: { ...good.policy, serve: { tensor_parallel_size: 2 } } };

const problemsOf = (change: Record<string, unknown>) => checkSpec({ ...good, ...change }).problems;

describe('checkSpec', () => {
  it('fills in the defaults of a spec that names only what has none', () => {
    const { spec } = checkSpec(good);
    expect(spec?.grpo.num_generations).toBe(8);
    expect(spec?.judge.sampling.temperature).toBe(0);
    expect(spec?.audit.gates.length).toBeGreaterThan(0);
  });

  it('suggests the nearest name of an unknown field, in place', () => {
    expect(problemsOf({ grpo: { stepz: 3 } })).toEqual([
      { field: 'grpo.stepz', message: 'unknown field. Did you mean "steps"?' },
    ]);
    expect(problemsOf({ jugde: {} })[0]?.message).toContain('"judge"');
    expect(problemsOf({ grpo: { lora: { rank: 3 } } })[0]?.field).toBe('grpo.lora.rank');
  });

  it('says what was expected and what was found for a value out of range', () => {
    expect(problemsOf({ grpo: { steps: 0 } })).toEqual([
      { field: 'grpo.steps', message: 'expected at least 1; found 0' },
    ]);
    expect(problemsOf({ grpo: { verifier_weight: 1.5 } })[0]?.message).toBe('expected at most 1; found 1.5');
  });

  it('names a missing field and what it should hold', () => {
    expect(problemsOf({ base: {} })).toEqual([{ field: 'base.model', message: 'missing; expected a string' }]);
  });

  it('offers the nearest of the allowed values', () => {
    expect(problemsOf({ task: { name: 'poly-easy' } })[0]?.message).toContain('Did you mean "poly_easy"?');
  });

  it('offers the nearest of the allowed values of a list', () => {
    expect(problemsOf({ grpo: { report_to: ['tensorbord'] } })).toMatchObject([
      { field: 'grpo.report_to.0', message: expect.stringContaining('Did you mean "tensorboard"?') },
    ]);
  });

  it.each(['../x', 'a/b', '', 'A', '.hidden', 'a..b'])('refuses the run name %j', (run) => {
    expect(problemsOf({ run })[0]?.field).toBe('run');
  });

  it('takes further fields of a request that gavel does not set itself', () => {
    expect(problemsOf({ judge: { ...good.judge, extra_body: { service_tier: 'flex' } } })).toEqual([]);
  });

  it.each([
    ['judge.base_url', { judge: { ...good.judge, engine: 'openai' } }],
    ['judge.base_url', { judge: { ...good.judge, engine: 'openai', base_url: 'http://j.example\u009b2J/v1' } }],
    ['judge.base_url', { judge: { ...good.judge, engine: 'openai', base_url: 'http://j.example/\u001b[2Jv1' } }],
    ['judge.base_url', { judge: { ...good.judge, engine: 'openai', base_url: 'ftp://j.example/v1' } }],
    ['task.path', { task: { name: 'jsonl' } }],
    ['task.path', { task: { name: 'svamp' } }],
    ['task.path', { task: { name: 'gsm_plus' } }],
    ['task.path', { task: { name: 'reasoning_gym', path: 'data' } }],
    ['task.unlabelled_fraction', { task: { name: 'jsonl', path: 'a', unlabelled_fraction: 0.5 } }],
    ['task.unlabelled_fraction', { task: { ...good.task, unlabelled_fraction: 1.1 } }],
    ['task.evaluate_on.1.path', { task: { ...good.task, evaluate_on: [{ name: 'gsm8k' }, { name: 'svamp' }] } }],
    ['task.evaluate_on.0.params', { task: { ...good.task, evaluate_on: [{ name: 'jsonl', path: 'a' }] } }],
    ['task.evaluate_on.1.label', { task: { ...good.task, evaluate_on: [{ name: 'gsm8k' }, { name: 'gsm8k' }] } }],
    ['task.evaluate_on.0.label', { task: { ...good.task, evaluate_on: [{ name: 'gsm8k', label: 'a.b' }] } }],
    ['grpo.micro_batch_size', { grpo: { micro_batch_size: 7 } }],
    ['grpo.processes', { grpo: { processes: 3 } }],
    ['audit.headline_mode', { audit: { grader_modes: ['reasoned'] } }],
    ['audit.grader_modes', { sft: { modes: ['single_token'] } }],
    ['placement.trainer_gpus', { grpo: { processes: 4 }, placement: { trainer_gpus: 2 } }],
    ['grpo.sharding', { grpo: { sharding: 'zero2', processes: 2 } }],
    ['grpo.sharding', { grpo: { sharding: 'zero2' }, placement: { trainer_gpus: 2 } }],
    ['grpo.sharding', { grpo: { sharding: 'zero3', processes: 2 }, placement: { trainer_gpus: 2 } }],
    ['policy.serve', { policy: { ...good.policy, serve: { dtype: 'float32' } } }],
    ['policy.sampling', { policy: { ...good.policy, sampling: { temperature: 0.5 } } }],
    ['policy.extra_body', { policy: { ...good.policy, extra_body: { top_k: 1 } } }],
    ['grpo.rollout', { grpo: { rollout: 'served' } }],
    ['grpo.lora.r', { grpo: { rollout: 'served', lora: { r: 513 } } }],
    ['grpo.importance_sampling', { grpo: { rollout: 'served', lora: {}, top_p: 0.9 } }],
    ['grpo.lora.dropout', { grpo: { rollout: 'served', lora: { dropout: 0.1 } } }],
    ['grpo.max_staleness', { grpo: { max_staleness: 1 } }],
    ['grpo.lora.target_modules', { grpo: { lora: { target_modules: ['q_proj', 'lm_head'] } } }],
    ['sft.lora.target_modules', { sft: { lora: { target_modules: ['lm_head'] } } }],
    ['grpo.processes', { grpo: { rollout: 'served', lora: {}, processes: 16 } }],
    ['placement.rollout_gpus', { placement: { rollout_gpus: 1 } }],
    ['placement.rollout_gpus', { grpo: { rollout: 'served', lora: {} }, placement: { rollout_gpus: 2 } }],
    ['placement.rollout_gpus', { grpo: { rollout: 'served', lora: {} }, placement: { trainer_gpus: 1 } }],
    ['placement.trainer_gpus', { grpo: { rollout: 'vllm_colocate' } }],
    ['placement.trainer_gpus', { grpo: { rollout: 'vllm_server' } }],
    ['grpo.lora', { ...pushed, grpo: { rollout: 'vllm_server', lora: {} } }],
    ['grpo.importance_sampling', { ...pushed, grpo: { rollout: 'vllm_server', top_p: 0.9 } }],
    ['placement.rollout_gpus', { ...pushed, placement: { trainer_gpus: 1 } }],
    ['placement.rollout_gpus', { ...pushed, grpo: { rollout: 'vllm_colocate' } }],
    ['policy.serve.data_parallel_size', { ...pushed, policy: { ...good.policy, serve: { data_parallel_size: 2 } } }],
    [
      'policy.serve',
      {
        ...{ grpo: { rollout: 'vllm_colocate' }, placement: { trainer_gpus: 1 } },
        policy: { ...good.policy, serve: { max_model_len: 512, dtype: 'float32' } },
      },
    ],
    ['judge.extra_body', { judge: { ...good.judge, extra_body: { messages: [] } } }],
    ['base.extra_body', { base: { ...good.base, extra_body: { structured_outputs: {} } } }],
    ['grader.extra_body', { grader: { extra_body: { temperature: 1 } } }],
    ['judge.extra_body', { judge: { ...good.judge, extra_body: { guided_choice: ['9'] } } }],
    ['judge.panel.votes', { judge: { ...good.judge, panel: { votes: 3 } } }],
    [
      'judge.panel.votes',
      { judge: { ...good.judge, mode: 'single_token', sampling: { temperature: 1 }, panel: { votes: 3 } } },
    ],
    ['placement.grader_gpus', { placement: { grader_gpus: 2 } }],
    ['grpo.stop', { grpo: { rollout: 'transformers', stop: ['END'] } }],
    ['grpo.report_to', { grpo: { report_to: ['wandb', 'wandb'] } }],
    ['grpo.warmup_steps', { grpo: { steps: 5, warmup_steps: 5 } }],
    ['grpo.scale_rewards', { grpo: { advantage: 'leave_one_out' } }],
    [
      'grpo.mask_truncated_completions',
      { grpo: { rollout: 'vllm_colocate', stop: ['END'], mask_truncated_completions: true } },
    ],
  ])('finds what only two fields together get wrong: %s', (field, change) => {
    expect(problemsOf(change).map((problem) => problem.field)).toContain(field);
  });

  it.each([
    ['top_p', 0, 'expected more than 0; found 0'],
    ['top_p', 1.5, 'expected at most 1; found 1.5'],
    ['top_k', -1, 'expected at least 0; found -1'],
    ['min_p', 1, 'expected less than 1; found 1'],
    ['repetition_penalty', 0, 'expected more than 0; found 0'],
  ])('refuses grpo.%s %j', (field, value, message) => {
    expect(problemsOf({ grpo: { [field]: value } })).toEqual([{ field: `grpo.${field}`, message }]);
  });

  it.each([0, 1, -0.5])('refuses sft.contradicted_weight %j: it lies between 0 and 1', (contradicted_weight) => {
    const found = problemsOf({ sft: { contradicted: 'weight', contradicted_weight } });
    expect(found.map(({ field }) => field)).toEqual(['sft.contradicted_weight']);
  });

  it('names the ways of teaching and of normalising that it knows', () => {
    expect(problemsOf({ sft: { contradicted: 'dorp', targets: 'digits' }, grpo: { normalise: 'appart' } })).toEqual([
      expect.objectContaining({ field: 'grpo.normalise', message: expect.stringContaining('together, apart') }),
      expect.objectContaining({ field: 'sft.targets', message: expect.stringContaining('score, distribution') }),
      expect.objectContaining({ field: 'sft.contradicted', message: expect.stringContaining('keep, drop, weight') }),
    ]);
  });

  it.each([
    { advantage: 'leave_one_out', scale_rewards: 'none' },
    { advantage: 'leave_one_out', scale_rewards: 'none', normalise: 'apart' },
    { scale_rewards: 'none' },
    { steps: 5, warmup_steps: 4, lr_schedule: 'cosine' },
    { stop: ['END'], mask_truncated_completions: true },
  ])('takes fields of grpo that go together: %j', (grpo) => {
    expect(problemsOf({ grpo })).toEqual([]);
  });

  it.each([
    pushed,
    { ...pushed, placement: { trainer_gpus: 1, rollout_gpus: 2 }, ...servedOnTwo },
    {
      ...{ grpo: { rollout: 'vllm_colocate' }, placement: { trainer_gpus: 1 } },
      policy: { ...good.policy, serve: { max_model_len: 512, gpu_memory_utilization: 0.4 } },
    },
  ])('takes full fine-tuning that samples in a vLLM of TRL: %j', (change) => {
    expect(problemsOf(change)).toEqual([]);
  });

  it('says which placement, and which rollout of the CPU, would work for a vLLM of TRL', () => {
    expect(problemsOf({ grpo: { rollout: 'vllm_colocate', processes: 2 } })).toEqual([
      {
        field: 'placement.trainer_gpus',
        message:
          'expected grpo.processes = 2: TRL pushes weights into vLLM from a GPU, with grpo.rollout vllm_colocate; found 0. On the CPU take grpo.rollout cached',
      },
    ]);
  });

  it('says what leave-one-out advantages expect of scale_rewards', () => {
    expect(problemsOf({ grpo: { advantage: 'leave_one_out', scale_rewards: 'batch' } })).toEqual([
      {
        field: 'grpo.scale_rewards',
        message: 'expected none with grpo.advantage leave_one_out, whose differences are not divided; found batch',
      },
    ]);
  });

  it('finds every problem at once', () => {
    expect(problemsOf({ grpo: { steps: 0, stepz: 1 }, run: '/' }).length).toBe(3);
  });

  it('puts unknown fields first, and still finds what is missing and what fields together get wrong', () => {
    const { policy, ...rest } = good;
    expect(checkSpec({ ...rest, policyy: policy, grpo: { steps: 0 } }).problems).toEqual([
      { field: 'policyy', message: 'unknown field. Did you mean "policy"?' },
      { field: 'policy', message: 'missing; expected an object' },
      { field: 'grpo.steps', message: 'expected at least 1; found 0' },
    ]);
    expect(problemsOf({ extra: 1, judge: { ...good.judge, panel: { votes: 3, vots: 1 } } })).toMatchObject([
      { field: 'judge.panel.vots' },
      { field: 'extra' },
      { field: 'judge.panel.votes', message: expect.stringContaining('temperature') },
    ]);
  });

  it('refuses what is no object', () => {
    for (const input of [null, 'x', [], 3]) expect(checkSpec(input).spec).toBeNull();
  });
});

describe('suggestion', () => {
  it('lists the known names where none is near', () => {
    expect(suggestion('qqq', ['alpha', 'beta'])).toBe('. Known: alpha, beta');
  });
});
