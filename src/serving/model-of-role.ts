import type { ServeSpec } from '../contracts/spec/serve.ts';
import type { Spec } from '../contracts/spec/spec.ts';

/** Roles whose models gavel serves itself. */
export type ServedRole = 'judge' | 'grader' | 'base';

/** The model of a role as in the spec (a folder under GAVEL_ROOT, an absolute path, or a hub name), and how it is served. */
export function modelOfRole(spec: Spec, role: ServedRole): { model: string; serve: ServeSpec } {
  // The grader is served merged: an adapter beside its base is ten times slower on a CPU.
  const model = role === 'grader' ? `runs/${spec.run}/grader/merged` : spec[role].model;
  return { model, serve: spec[role].serve };
}
