import { type Rule, rule, type SpecProblem } from './rule.ts';
import type { Spec } from './spec.ts';

/** Rules about tasks: which need data, and what the further tasks of `task.evaluate_on` are called. */

type Source = Pick<Spec['task'], 'name' | 'path' | 'params'>;

const DATA: Partial<Record<Source['name'], string>> = {
  jsonl: 'the JSONL file of the task',
  svamp: 'the published SVAMP.json',
  gsm_plus: 'a published file of GSM-Plus',
};

/** What is wrong with a task's path; null: nothing. */
function wrongPath({ name, path }: Source): string | null {
  const data = DATA[name];
  if (data !== undefined && path === null) return `missing; expected ${data}`;
  return name === 'reasoning_gym' && path !== null ? 'expected null: reasoning_gym makes its own data' : null;
}

/** Without a verifier only the judge rewards, and no truth counts. */
const hasVerifier = ({ name, params }: Source) => name !== 'jsonl' || (params.verifier ?? 'none') !== 'none';

const further: Rule = ({ task }) => {
  const problems: SpecProblem[] = [];
  const labels = task.evaluate_on.map(({ label, name }) => label ?? name);
  for (const [at, one] of task.evaluate_on.entries()) {
    const field = `task.evaluate_on.${at}`;
    const message = wrongPath(one);
    if (message !== null) problems.push({ field: `${field}.path`, message });
    if (!hasVerifier(one)) {
      const message = 'expected a verifier other than none: nothing would be measured';
      problems.push({ field: `${field}.params`, message });
    }
    if (labels.indexOf(labels[at] as string) < at) {
      const message = `expected a label that no other entry has; found ${labels[at]} again`;
      problems.push({ field: `${field}.label`, message });
    }
  }
  return problems[0] ?? null;
};

export const tasks: Rule[] = [
  rule('task.path', ({ task }) => wrongPath(task)),
  rule(
    'task.unlabelled_fraction',
    ({ task }) =>
      task.unlabelled_fraction > 0 &&
      !hasVerifier(task) &&
      `expected 0 with verifier none, which uses no truth that could be hidden; found ${task.unlabelled_fraction}`,
  ),
  further,
];
