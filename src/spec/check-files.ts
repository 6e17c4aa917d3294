import { existsSync } from 'node:fs';
import type { SpecProblem } from '../contracts/spec/check.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { loadRubric } from '../judging/rubric.ts';
import { resolveUnder } from '../run-directory/paths.ts';
import { locateModel } from '../serving/identity.ts';

/** Problems of a valid spec with the files that it names, looked up under `root` (GAVEL_ROOT). */
export function missingFiles(root: string, spec: Spec): SpecProblem[] {
  const problems: SpecProblem[] = [];
  const model = (field: string, name: string) => {
    if (locateModel(root, name) !== null) return;
    const message = `no model there: expected a folder with a config.json (relative ones lie under ${root}) or a hub name like Qwen/Qwen3-1.7B; found ${name}`;
    problems.push({ field, message });
  };
  model('policy.model', spec.policy.model);
  if (spec.judge.engine === 'vllm') model('judge.model', spec.judge.model);
  model('base.model', spec.base.model);
  try {
    loadRubric(resolveUnder(root, spec.judge.rubric));
  } catch (error) {
    problems.push({ field: 'judge.rubric', message: (error as Error).message });
  }
  if (spec.task.path !== null && !existsSync(resolveUnder(root, spec.task.path))) {
    problems.push({
      field: 'task.path',
      message: `expected an existing file or folder; found nothing at ${resolveUnder(root, spec.task.path)}`,
    });
  }
  return problems;
}
