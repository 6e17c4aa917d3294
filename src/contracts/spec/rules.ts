import { hasOneBound } from './audit.ts';
import { pairwiseRules } from './pairwise-rules.ts';
import { reservedIn } from './reserved.ts';
import { gpusOf, type Rule, rule, type SpecProblem } from './rule.ts';
import { servedPolicy } from './served-policy-rules.ts';
import type { Spec } from './spec.ts';
import { tasks } from './task-rules.ts';
import { trlVllm } from './trl-vllm-rules.ts';

/** Rules between fields, which JSON Schema cannot say. */

const extraBodies: Rule[] = (['judge', 'base', 'grader'] as const).map((role) =>
  rule(`${role}.extra_body`, (spec) => {
    const reserved = reservedIn(spec[role].extra_body);
    return (
      reserved.length > 0 &&
      `expected fields that gavel does not set itself; found ${reserved.join(', ')}. Sampling belongs in ${role}.sampling, template arguments in ${role}.chat_template_kwargs`
    );
  }),
);

/** TRL multiplies with the head's own weight, so an adapter on it would not be trained. */
const heads: Rule[] = (['grpo', 'sft'] as const).map((stage) =>
  rule(
    `${stage}.lora.target_modules`,
    (spec) =>
      spec[stage].lora?.target_modules.includes('lm_head') === true &&
      'expected layers without lm_head: TRL computes log-probabilities from its own weight, and an adapter on it would not be trained',
  ),
);

const rules: Rule[] = [
  ...extraBodies,
  ...heads,
  ...servedPolicy,
  ...pairwiseRules,
  ...trlVllm,
  rule(
    'sft.batch_size',
    ({ sft }) =>
      sft.batch_size % sft.processes !== 0 &&
      `expected a multiple of sft.processes = ${sft.processes}; found ${sft.batch_size}`,
  ),
  rule(
    'placement.trainer_gpus',
    ({ placement, sft }) =>
      placement.trainer_gpus > 0 &&
      placement.trainer_gpus < sft.processes &&
      `expected at least sft.processes = ${sft.processes}; found ${placement.trainer_gpus}`,
  ),
  rule(
    'sft.qlora',
    ({ sft, placement }) =>
      sft.qlora &&
      placement.trainer_gpus === 0 &&
      'expected false: 4-bit weights need a GPU, and placement.trainer_gpus is 0',
  ),
  rule(
    'sft.modes',
    ({ sft, judge }) =>
      judge.mode !== 'reasoned' &&
      judge.mode !== 'pairwise' &&
      sft.modes.includes('reasoned') &&
      `expected modes without reasoned: a judge in mode ${judge.mode} leaves no reasoning to teach`,
  ),
  rule('run', ({ run }) => run.includes('..') && 'expected a name without "..", since it becomes a folder'),
  ...tasks,
  rule(
    'judge.base_url',
    ({ judge }) =>
      judge.engine === 'openai' &&
      judge.base_url === null &&
      'missing; engine openai needs the URL, up to and including /v1',
  ),
  rule(
    'judge.base_url',
    ({ judge }) =>
      judge.engine === 'vllm' &&
      judge.base_url !== null &&
      'expected null: engine vllm is served by gavel. For a server of your own set judge.engine to openai',
  ),
  rule(
    'judge.api_key_env',
    ({ judge }) =>
      judge.engine === 'vllm' && judge.api_key_env !== null && 'expected null: a judge that gavel serves needs no key',
  ),
  rule(
    'judge.revision',
    ({ judge }) =>
      judge.engine === 'openai' && judge.revision !== null && 'expected null: engine openai serves what it serves',
  ),
  rule('grpo.micro_batch_size', ({ grpo }) => {
    const batch = (grpo.prompts_per_step * grpo.num_generations) / grpo.processes;
    const micro = grpo.micro_batch_size;
    return (
      micro !== null &&
      batch % micro !== 0 &&
      `expected a divisor of prompts_per_step * num_generations / processes = ${batch}; found ${micro}`
    );
  }),
  rule('grpo.processes', ({ grpo }) => {
    const batch = grpo.prompts_per_step * grpo.num_generations;
    return (
      batch % grpo.processes !== 0 &&
      `expected a divisor of prompts_per_step * num_generations = ${batch}; found ${grpo.processes}`
    );
  }),
  rule(
    'grpo.prompts_per_step',
    ({ grpo, task }) =>
      grpo.prompts_per_step > task.train_prompts &&
      `expected at most task.train_prompts = ${task.train_prompts}; found ${grpo.prompts_per_step}`,
  ),
  rule(
    'grpo.warmup_steps',
    ({ grpo }) =>
      grpo.warmup_steps >= grpo.steps &&
      `expected fewer than grpo.steps = ${grpo.steps}, else no step has the learning rate; found ${grpo.warmup_steps}`,
  ),
  rule(
    'grpo.scale_rewards',
    ({ grpo }) =>
      grpo.advantage === 'leave_one_out' &&
      grpo.scale_rewards !== 'none' &&
      `expected none with grpo.advantage leave_one_out, whose differences are not divided; found ${grpo.scale_rewards}`,
  ),
  rule(
    'grpo.mask_truncated_completions',
    ({ grpo }) =>
      grpo.mask_truncated_completions &&
      grpo.stop.length > 0 &&
      grpo.rollout.startsWith('vllm') &&
      `expected false: with grpo.rollout ${grpo.rollout} TRL takes a completion that ends in one of grpo.stop for truncated. Use cached`,
  ),
  rule(
    'grpo.report_to',
    ({ grpo }) =>
      new Set(grpo.report_to).size < grpo.report_to.length &&
      `expected each tracker once; found ${grpo.report_to.join(', ')}`,
  ),
  rule(
    'grpo.stop',
    ({ grpo }) =>
      grpo.stop.length > 0 &&
      grpo.rollout === 'transformers' &&
      'expected an empty list: with grpo.rollout transformers TRL gives generate no tokenizer, which it needs to find a text. Use cached',
  ),
  rule(
    'placement.trainer_gpus',
    ({ placement, grpo }) =>
      placement.trainer_gpus > 0 &&
      placement.trainer_gpus < grpo.processes &&
      `expected at least grpo.processes = ${grpo.processes}; found ${placement.trainer_gpus}`,
  ),
  rule(
    'grpo.sharding',
    ({ grpo, placement }) =>
      grpo.sharding !== 'ddp' &&
      (grpo.processes < 2 || placement.trainer_gpus === 0) &&
      `expected ddp: ${grpo.sharding} shares out among several processes on GPUs; found grpo.processes ${grpo.processes}, placement.trainer_gpus ${placement.trainer_gpus}`,
  ),
  rule(
    'grpo.sharding',
    ({ grpo }) =>
      ['fsdp2', 'zero3'].includes(grpo.sharding) &&
      ['cached', 'served'].includes(grpo.rollout) &&
      `expected ddp or zero2: grpo.rollout ${grpo.rollout} needs ${grpo.rollout === 'cached' ? 'the weights' : 'the adapter'} whole in each process; found ${grpo.sharding}. With it, use grpo.rollout vllm_server or vllm_colocate`,
  ),
  rule('placement.judge_gpus', ({ placement, judge }) => {
    const wanted = gpusOf(judge.serve);
    return (
      judge.engine === 'vllm' &&
      placement.judge_gpus > 0 &&
      placement.judge_gpus !== wanted &&
      `expected judge.serve.tensor_parallel_size * data_parallel_size = ${wanted}; found ${placement.judge_gpus}`
    );
  }),
  rule(
    'placement.judge_gpus',
    ({ placement, judge }) =>
      judge.engine === 'openai' &&
      placement.judge_gpus > 0 &&
      `expected 0: engine openai runs elsewhere; found ${placement.judge_gpus}`,
  ),
  rule('placement.grader_gpus', ({ placement, grader, base, audit }) => {
    const roles = audit.base ? { grader, base } : { grader };
    const other = Object.entries(roles).find(([, { serve }]) => gpusOf(serve) !== placement.grader_gpus);
    return (
      placement.grader_gpus > 0 &&
      other !== undefined &&
      `expected ${other[0]}.serve.tensor_parallel_size * data_parallel_size = ${gpusOf(other[1].serve)}; found ${placement.grader_gpus}`
    );
  }),
  rule('audit.gates', ({ audit }) => {
    const odd = audit.gates.find((gate) => !hasOneBound(gate));
    return odd !== undefined && `expected one of at_least and at_most in each gate; found neither or both in ${odd.id}`;
  }),
  rule(
    'audit.headline_mode',
    ({ audit }) =>
      !audit.grader_modes.includes(audit.headline_mode) &&
      `expected one of audit.grader_modes (${audit.grader_modes.join(', ')}); found ${audit.headline_mode}`,
  ),
  rule('audit.grader_modes', ({ audit, sft }) => {
    const untaught = audit.grader_modes.filter((mode) => !sft.modes.includes(mode));
    return (
      untaught.length > 0 &&
      `expected modes that sft.modes teaches (${sft.modes.join(', ')}); found ${untaught.join(', ')}`
    );
  }),
  rule(
    'judge.panel.votes',
    ({ judge }) =>
      judge.panel.votes > 1 &&
      judge.sampling.temperature === 0 &&
      'expected 1: at judge.sampling.temperature 0 all votes are the same',
  ),
  rule(
    'judge.panel.votes',
    ({ judge }) =>
      judge.panel.votes > 1 &&
      judge.mode !== 'reasoned' &&
      `expected 1: judge.mode ${judge.mode} reads the probabilities of one token, which are the same in all votes`,
  ),
];

/** Problems between fields of a spec whose single fields are in order. */
export function crossFieldProblems(spec: Spec): SpecProblem[] {
  return rules.map((check) => check(spec)).filter((problem) => problem !== null);
}
