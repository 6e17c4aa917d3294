import { expect, test } from 'vitest';
import { checkSpec } from '../../../src/contracts/spec/check.ts';

const spec = (more: Record<string, object> = {}) => ({
  run: 'r',
  task: { name: 'poly_easy' },
  policy: { model: 'p' },
  base: { model: 'b' },
  ...more,
  judge: { model: 'j', rubric: 'r.yaml', mode: 'pairwise', ...more.judge },
  sft: { modes: ['pairwise'], ...more.sft },
  audit: {
    grader_modes: ['pairwise'],
    headline_mode: 'pairwise',
    gates: [{ id: 'fidelity.grader.headline.label_cohens_kappa', at_least: 0.6 }],
    ...more.audit,
  },
});

const problems = (more?: Record<string, object>) => {
  const checked = checkSpec(spec(more));
  return 'problems' in checked ? checked.problems.map(({ field, message }) => `${field}: ${message}`) : [];
};

test('a spec whose judge compares is in order where grader and audit compare too', () => {
  expect(problems()).toEqual([]);
});

test.each([
  ['modes that teach scores', { sft: { modes: ['single_token', 'pairwise'] } }, /^sft.modes: expected pairwise alone/],
  ['weights by score', { sft: { balance: 'weight' } }, /^sft.balance: expected none/],
  ['an odd number of completions to pair', { audit: { completions_per_prompt: 3 } }, /^audit.completions_per_prompt: /],
  [
    'a gate on scores',
    { audit: { gates: [{ id: 'fidelity.grader.headline.quadratic_weighted_kappa', at_least: 0.6 }] } },
    /^audit.gates: expected gates on labels/,
  ],
  [
    'modes of the audit that give scores',
    { audit: { grader_modes: ['single_token'] } },
    /^audit.grader_modes: .* alone/,
  ],
  [
    'an audit that samples one text a prompt',
    { audit: { temperature: 0 } },
    /^audit.temperature: expected more than 0/,
  ],
  ['a gate on ranks', { audit: { gates: [{ id: 'truth.grader.headline.auroc', at_least: 0.6 }] } }, /^audit.gates: /],
  ['more opponents than a group has', { grpo: { num_generations: 4, opponents: 4 } }, /^grpo.opponents: .* at most 3/],
  ['an odd number in an odd group', { grpo: { num_generations: 5, opponents: 3 } }, /^grpo.opponents: .* even/],
  ['groups that span ranks', { grpo: { prompts_per_step: 3, processes: 2 } }, /^grpo.processes: .* divisor/],
  ['a threshold of confidence', { judge: { panel: { confidence_threshold: 0.5 } } }, /^judge.panel.confidence_thr/],
  ['opponents without comparing', { judge: { mode: 'reasoned' }, grpo: { opponents: 2 } }, /^grpo.opponents: .* null/],
  ['comparing that no judge shows', { judge: { mode: 'reasoned' } }, /^sft.modes: expected modes without pairwise/],
] as [string, Record<string, object>, RegExp][])('refuses %s', (_, more, message) => {
  expect(problems(more)).toContainEqual(expect.stringMatching(message));
});
