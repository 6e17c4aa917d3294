import { closest } from 'fastest-levenshtein';
import type { z } from 'zod';
import type { SpecProblem } from './rule.ts';

/** What zod found wrong with a value, in words for the person who wrote it; pure, so that a workflow can use it too. */

export type Issue = z.core.$ZodIssue;

/** The problems of a value that `schema` refused; an issue has its input where it was parsed with reportInput. */
export function problemsOf(schema: z.ZodType, issues: readonly Issue[]): SpecProblem[] {
  return issues.flatMap((issue) => describe(schema, issue));
}

function describe(schema: z.ZodType, issue: Issue): SpecProblem[] {
  const field = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = fieldsAt(schema, issue.path);
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

export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** Names of the fields of the object schema at a path of `schema`. */
function fieldsAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const key of path) at = typeof key === 'number' ? elementOf(at) : shapeOf(at)?.[String(key)];
  return Object.keys(shapeOf(at) ?? {});
}

/** Schema of the entries of a list. */
function elementOf(schema: unknown): unknown {
  const definition = (schema as { def?: { element?: unknown; innerType?: unknown } } | undefined)?.def;
  return definition?.element ?? (definition?.innerType && elementOf(definition.innerType));
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  const definition = (schema as { def?: { shape?: Record<string, unknown>; innerType?: unknown; options?: unknown[] } })
    ?.def;
  if (definition?.shape) return definition.shape;
  if (definition?.innerType) return shapeOf(definition.innerType);
  return definition?.options?.map(shapeOf).find(Boolean);
}
