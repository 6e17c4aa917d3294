import { checkSpec, type SpecProblem } from '../contracts/spec/check.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { readWritten, UnusableFile } from './written-file.ts';

/** A spec that cannot be used. */
export class SpecError extends UnusableFile {
  override name = 'SpecError';

  constructor(path: string, problems: SpecProblem[]) {
    super('spec', path, problems);
  }
}

/**
 * Reads a spec from a YAML or JSON file, defaults filled in.
 * `overrides` replace top-level fields of the file, say `{run: 'my-run'}`. Throws SpecError.
 */
export function loadSpec(path: string, overrides: Record<string, unknown> = {}): Spec {
  const written = readWritten(path, 'a spec in YAML or JSON (see examples/)');
  if (typeof written === 'string') throw new SpecError(path, [{ field: '', message: written }]);
  const { value, withLine } = written;
  const isObject = value !== null && typeof value === 'object' && !Array.isArray(value);
  const checked = checkSpec(isObject ? { ...value, ...overrides } : value);
  if (checked.spec !== null) return checked.spec;
  throw new SpecError(path, checked.problems.map(withLine));
}
