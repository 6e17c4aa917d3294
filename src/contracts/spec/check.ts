import { type Issue, problemsOf, show } from './problems.ts';
import type { SpecProblem } from './rule.ts';
import { crossFieldProblems } from './rules.ts';
import { Spec } from './spec.ts';

/** Checks a spec from outside and says what is wrong in words; pure, so that a workflow can use it too. */

export type { SpecProblem };

export type CheckedSpec = { spec: Spec; problems: [] } | { spec: null; problems: SpecProblem[] };

/**
 * Parses any value as a spec: defaults filled in, or every problem found. Unknown fields come first, since a misspelt name explains
 * the field that is missing; then other single fields, then what only fields together get wrong.
 */
export function checkSpec(input: unknown): CheckedSpec {
  if (input === null || typeof input !== 'object' || Array.isArray(input)) {
    return {
      spec: null,
      problems: [
        { field: '', message: `expected an object with fields run, task, policy, judge, base; found ${show(input)}` },
      ],
    };
  }
  const parsed = Spec.safeParse(input, { reportInput: true });
  if (!parsed.success) return { spec: null, problems: specProblems(input, parsed.error.issues) };
  const problems = crossFieldProblems(parsed.data);
  return problems.length > 0 ? { spec: null, problems } : { spec: parsed.data, problems: [] };
}

function specProblems(input: object, issues: Issue[]): SpecProblem[] {
  const unknown = issues.filter((issue) => issue.code === 'unrecognized_keys');
  const others = issues.filter((issue) => issue.code !== 'unrecognized_keys');
  // Without its unknown fields it may be a spec whose fields contradict each other.
  const rest = others.length === 0 ? Spec.safeParse(withoutKeys(input, unknown)) : null;
  return problemsOf(Spec, [...unknown, ...others]).concat(rest?.success ? crossFieldProblems(rest.data) : []);
}

function withoutKeys(input: object, unknown: Extract<Issue, { code: 'unrecognized_keys' }>[]): unknown {
  // Workflows run this too, and their sandbox has no structuredClone.
  const copy = JSON.parse(JSON.stringify(input));
  for (const { path, keys } of unknown) {
    const holder = path.reduce((node, key) => node[key as string], copy);
    for (const key of keys) delete holder[key];
  }
  return copy;
}
