import { existsSync } from 'node:fs';
import type { Config } from '../config.ts';
import type { Rubric } from '../contracts/rubric.ts';
import type { SpecProblem } from '../contracts/spec/check.ts';
import { ACCELERATE_FLAGS, argsProblem, refusedArgs, VLLM_FLAGS } from '../contracts/spec/flags.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { canSpellFrame } from '../judging/can-spell.ts';
import { modesOf } from '../judging/messages.ts';
import { loadRubric } from '../judging/rubric.ts';
import { resolveUnder } from '../run-directory/paths.ts';
import { locateModel } from '../serving/identity.ts';

/** Problems that a valid spec has on this worker: files that it names under `root` (GAVEL_ROOT), and flags that the worker does not allow. */
export function problemsHere({ root, allow_args }: Pick<Config, 'root' | 'allow_args'>, spec: Spec): SpecProblem[] {
  return [...missingFiles(root, spec), ...refusedFlags(allow_args, spec)];
}

function refusedFlags(allow_args: string[], spec: Spec): SpecProblem[] {
  const vllm = (['policy', 'judge', 'base', 'grader'] as const).map(
    (role) => [`${role}.serve.extra_args`, spec[role].serve.extra_args, VLLM_FLAGS] as const,
  );
  const all = [...vllm, ['grpo.accelerate_args', spec.grpo.accelerate_args, ACCELERATE_FLAGS] as const];
  return all.flatMap(([field, args, flags]) => {
    const refused = refusedArgs(args, flags, allow_args);
    return refused.length > 0 ? [{ field, message: argsProblem(refused, flags) }] : [];
  });
}

function missingFiles(root: string, spec: Spec): SpecProblem[] {
  const problems: SpecProblem[] = [];
  for (const role of ['policy', 'judge', 'base'] as const) {
    if (role === 'judge' && spec.judge.engine === 'openai') continue;
    const found = locateModel(root, spec[role]);
    if ('problem' in found) problems.push({ field: `${role}.${found.field}`, message: found.problem });
  }
  try {
    const { rubric } = loadRubric(resolveUnder(root, spec.judge.rubric));
    if (rubric.frame === 'digest') problems.push(...speechless(root, spec));
    problems.push(...withoutTemplate(rubric, spec));
    if (rubric.reference_guided && spec.task.unlabelled_fraction > 0) {
      const message = `expected 0: ${spec.judge.rubric} is reference-guided, so the judge needs the truth that would be hidden; found ${spec.task.unlabelled_fraction}`;
      problems.push({ field: 'task.unlabelled_fraction', message });
    }
  } catch (error) {
    problems.push({ field: 'judge.rubric', message: (error as Error).message });
  }
  const further = spec.task.evaluate_on.map(({ path }, at) => [`task.evaluate_on.${at}.path`, path] as const);
  for (const [field, path] of [['task.path', spec.task.path] as const, ...further]) {
    if (path === null || existsSync(resolveUnder(root, path))) continue;
    problems.push({
      field,
      message: `expected an existing file or folder; found nothing at ${resolveUnder(root, path)}`,
    });
  }
  return problems;
}

/** Modes that are asked for and that the rubric has no template for. */
function withoutTemplate(rubric: Rubric, { judge, sft, audit }: Spec): SpecProblem[] {
  const known = modesOf(rubric);
  const asked = { 'judge.mode': [judge.mode], 'sft.modes': sft.modes, 'audit.grader_modes': audit.grader_modes };
  return Object.entries(asked).flatMap(([field, modes]) => {
    const absent = modes.filter((mode) => !known.includes(mode));
    if (absent.length === 0) return [];
    const message = `expected modes that ${judge.rubric} has templates for (${known.join(', ')}); found ${absent.join(', ')}`;
    return [{ field, message }];
  });
}

/** Models that read the rubric's frame and have no tokens for it. */
function speechless(root: string, spec: Spec): SpecProblem[] {
  return (['judge', 'base'] as const).flatMap((role) => {
    const found = locateModel(root, spec[role]);
    if (!('kind' in found) || found.kind !== 'folder' || canSpellFrame(found.path)) return [];
    const message = `its frame is digest, and the tokenizer of ${role}.model (${spec[role].model}) has no tokens for a digest's digits; set frame: none in the rubric`;
    return [{ field: 'judge.rubric', message }];
  });
}
