import { closest } from 'fastest-levenshtein';
import type { z } from 'zod';
import { crossFieldProblems, type SpecProblem } from './rules.ts';
import { Spec } from './spec.ts';

/** Checks a spec from outside and says what is wrong in words; pure, so that a workflow can use it too. */

export type { SpecProblem };

export type CheckedSpec = { spec: Spec; problems: [] } | { spec: null; problems: SpecProblem[] };

type Issue = z.core.$ZodIssue;

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
  if (!parsed.success) return { spec: null, problems: problemsOf(input, parsed.error.issues) };
  const problems = crossFieldProblems(parsed.data);
  return problems.length > 0 ? { spec: null, problems } : { spec: parsed.data, problems: [] };
}

function problemsOf(input: object, issues: Issue[]): SpecProblem[] {
  const unknown = issues.filter((issue) => issue.code === 'unrecognized_keys');
  const others = issues.filter((issue) => issue.code !== 'unrecognized_keys');
  // Without its unknown fields it may be a spec whose fields contradict each other.
  const rest = others.length === 0 ? Spec.safeParse(withoutKeys(input, unknown)) : null;
  return [...unknown, ...others].flatMap(describe).concat(rest?.success ? crossFieldProblems(rest.data) : []);
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

function describe(issue: Issue): SpecProblem[] {
  const field = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = fieldsAt(issue.path);
    return issue.keys.map((key) => ({
      field: field ? `${field}.${key}` : key,
      message: `unknown field${suggestion(key, known)}`,
    }));
  }
  const found = 'input' in issue ? `; found ${show(issue.input)}` : '';
  if (issue.code === 'invalid_type' && issue.input === undefined) {
    return [{ field, message: `missing; expected ${expected(issue)}` }];
  }
  return [{ field, message: `expected ${expected(issue)}${found}${nearestValue(issue)}` }];
}

function expected(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'int' ? 'a whole number' : article(issue.expected);
    case 'too_small':
      return `${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}${unit(issue.origin)}`;
    case 'too_big':
      return `${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}${unit(issue.origin)}`;
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_format':
      return issue.format === 'regex' ? `text that matches ${issue.pattern}` : `a valid ${issue.format}`;
    default:
      return issue.message;
  }
}

const unit = (origin: string): string => (origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : '');
const article = (type: string): string => (/^[aeio]/.test(type) ? `an ${type}` : `a ${type}`);

function nearestValue(issue: Issue): string {
  if (issue.code !== 'invalid_value' || typeof issue.input !== 'string') return '';
  return suggestion(issue.input, issue.values.map(String));
}

/** `. Did you mean "x"?` where a known name is near enough to be what was meant; nothing otherwise. */
export function suggestion(name: string, known: readonly string[]): string {
  if (known.length === 0) return '';
  const nearest = closest(name.toLowerCase(), [...known]);
  const shared = [...nearest].filter((letter) => name.includes(letter)).length;
  return shared >= Math.min(name.length, nearest.length) / 2
    ? `. Did you mean "${nearest}"?`
    : `. Known: ${known.join(', ')}`;
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** Names of the fields of the object schema at a path of the spec. */
function fieldsAt(path: readonly PropertyKey[]): string[] {
  let schema: unknown = Spec;
  for (const key of path) schema = shapeOf(schema)?.[String(key)];
  return Object.keys(shapeOf(schema) ?? {});
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  const definition = (schema as { def?: { shape?: Record<string, unknown>; innerType?: unknown; options?: unknown[] } })
    ?.def;
  if (definition?.shape) return definition.shape;
  if (definition?.innerType) return shapeOf(definition.innerType);
  return definition?.options?.map(shapeOf).find(Boolean);
}
