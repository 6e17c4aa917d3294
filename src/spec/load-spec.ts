import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { checkSpec, type SpecProblem } from '../contracts/spec/check.ts';
import type { Spec } from '../contracts/spec/spec.ts';

/** A spec that cannot be used; each problem names its field and, where the file has one, its line. */
export class SpecError extends Error {
  override name = 'SpecError';
  readonly path: string;
  readonly problems: SpecProblem[];

  constructor(path: string, problems: SpecProblem[]) {
    super(
      [
        `The spec ${path} cannot be used:`,
        ...problems.map((p) => `  ${p.field ? `${p.field}: ` : ''}${p.message}`),
      ].join('\n'),
    );
    this.path = path;
    this.problems = problems;
  }
}

/**
 * Reads a spec from a YAML or JSON file, defaults filled in.
 * `overrides` replace top-level fields of the file, say `{run: 'my-run'}`. Throws SpecError.
 */
export function loadSpec(path: string, overrides: Record<string, unknown> = {}): Spec {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (error as Error).message;
    throw new SpecError(path, [{ field: '', message: `${reason}; expected a spec in YAML or JSON (see examples/)` }]);
  }
  // JSON is YAML, so one parser reads both and knows the lines.
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  const [syntax] = document.errors;
  if (syntax) throw new SpecError(path, [{ field: '', message: `not valid YAML: ${syntax.message.split('\n')[0]}` }]);
  const value: unknown = document.toJS();
  const isObject = value !== null && typeof value === 'object' && !Array.isArray(value);
  const checked = checkSpec(isObject ? { ...value, ...overrides } : value);
  if (checked.spec !== null) return checked.spec;
  throw new SpecError(
    path,
    checked.problems.map((problem) => withLine(problem, document, text)),
  );
}

function withLine(problem: SpecProblem, document: ReturnType<typeof parseDocument>, text: string): SpecProblem {
  const node = problem.field ? document.getIn(problem.field.split('.'), true) : undefined;
  const offset = (node as { range?: [number, number, number] } | undefined)?.range?.[0];
  if (offset === undefined) return problem;
  const line = text.slice(0, offset).split('\n').length;
  return { field: problem.field, message: `${problem.message} (line ${line})` };
}
