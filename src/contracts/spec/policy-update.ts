import { z } from 'zod';

/** How a step turns rewards into an update of the policy: fields of `grpo`, with TRL's names where TRL has them. */
export const policyUpdate = {
  lr_schedule: z
    .enum(['constant', 'linear', 'cosine'])
    .default('constant')
    .describe(
      'How the learning rate goes on after warmup_steps. linear and cosine fall to 0 at grpo.steps; a step then depends on how many follow.',
    ),
  warmup_steps: z
    .int()
    .min(0)
    .default(0)
    .describe('Steps in which the learning rate rises linearly from 0: the first step then changes nothing.'),
  advantage: z
    .enum(['group', 'leave_one_out'])
    .default('group')
    .describe(
      "What a reward is compared with. group: the mean of its group. leave_one_out (RLOO): the mean of the group's other completions that have a reward; 0 where there is none. It needs scale_rewards none.",
    ),
  scale_rewards: z
    .enum(['group', 'batch', 'none'])
    .default('group')
    .describe('What advantages are divided by: the standard deviation of the group, of the whole step, or nothing.'),
  normalise: z
    .enum(['together', 'apart'])
    .default('together')
    .describe(
      "What is centred and divided within a group. together: the reward. apart: the verifier's mark and the judge's value each, before verifier_weight mixes them, so that in a group that the verifier calls equal the judge's differences count 1 - verifier_weight times as much.",
    ),
  loss_type: z
    .enum(['dapo', 'grpo', 'dr_grpo', 'bnpo'])
    .default('dapo')
    .describe(
      'What the loss of the tokens is divided by. dapo: the tokens of the step. bnpo: those of the micro-batch. grpo: first those of the completion, then the number of completions. dr_grpo: completions x max_completion_tokens. Masked completions count in the last two.',
    ),
  mask_truncated_completions: z
    .boolean()
    .default(false)
    .describe(
      'Leave the tokens of completions that max_completion_tokens cut off out of the loss. Their rewards count in the mean of the group.',
    ),
};
