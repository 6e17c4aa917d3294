import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { problemsOf } from '../contracts/spec/problems.ts';
import type { SpecProblem } from '../contracts/spec/rule.ts';

/** Files that people write, in YAML or JSON: read by their contract, every problem named with its field and its line. */

/** A file that cannot be used; each problem names its field and, where the file has one, its line. */
export class UnusableFile extends Error {
  override name = 'UnusableFile';
  readonly path: string;
  readonly problems: SpecProblem[];

  /** `what` is the kind of file, say "spec". */
  constructor(what: string, path: string, problems: SpecProblem[]) {
    super(
      [
        `The ${what} ${path} cannot be used:`,
        ...problems.map((problem) => `  ${problem.field ? `${problem.field}: ` : ''}${problem.message}`),
      ].join('\n'),
    );
    this.path = path;
    this.problems = problems;
  }
}

export interface Written {
  value: unknown;
  /** The problem with the line of its field. */
  withLine(problem: SpecProblem): SpecProblem;
}

/** Reads a file; a string is why it cannot be read. `expected` says what it should be, say "a spec in YAML or JSON". */
export function readWritten(path: string, expected: string): Written | string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (error as Error).message;
    return `${reason}; expected ${expected}`;
  }
  // JSON is YAML, so one parser reads both and knows the lines.
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  const [syntax] = document.errors;
  if (syntax) return `not valid YAML: ${syntax.message.split('\n')[0]}`;
  const withLine = (problem: SpecProblem): SpecProblem => {
    const node = problem.field ? document.getIn(problem.field.split('.'), true) : undefined;
    const offset = (node as { range?: [number, number, number] } | undefined)?.range?.[0];
    if (offset === undefined) return problem;
    const line = text.slice(0, offset).split('\n').length;
    return { field: problem.field, message: `${problem.message} (line ${line})` };
  };
  return { value: document.toJS(), withLine };
}

export interface WrittenContract<S extends z.ZodType> {
  /** The kind of file, say "list of gates". */
  what: string;
  /** The contract, or which one it is for what was written. */
  schema: S | ((value: unknown) => S);
  /** What only fields together get wrong; looked for also where single fields are wrong. */
  rules?: (value: unknown) => SpecProblem[];
}

/** Reads a file by its contract, defaults filled in. Throws UnusableFile. */
export function loadWritten<S extends z.ZodType>(
  path: string,
  { what, schema, rules = () => [] }: WrittenContract<S>,
): z.output<S> {
  const written = readWritten(path, `a ${what} in YAML or JSON`);
  if (typeof written === 'string') throw new UnusableFile(what, path, [{ field: '', message: written }]);
  const contract = typeof schema === 'function' ? schema(written.value) : schema;
  const parsed = contract.safeParse(written.value, { reportInput: true });
  const broken = rules(written.value);
  if (parsed.success && broken.length === 0) return parsed.data;
  const problems = [...(parsed.success ? [] : problemsOf(contract, parsed.error.issues)), ...broken];
  throw new UnusableFile(what, path, problems.map(written.withLine));
}
