import type { Spec } from '../contracts/spec/spec.ts';
import type { LocatedModel } from '../contracts/stage.ts';
import { invalidSpec } from '../failures.ts';
import { locateModel } from '../serving/identity.ts';

/** Where a model of the spec is, so that Python has no rule of its own. Throws InvalidSpec where it is not there any more. */
export function locatedModel(root: string, spec: Spec, role: 'policy' | 'judge' | 'base'): LocatedModel {
  const found = locateModel(root, spec[role]);
  if ('problem' in found) throw invalidSpec([{ field: `${role}.${found.field}`, message: found.problem }]);
  return found.kind === 'folder'
    ? { path: found.path, revision: null }
    : { path: found.name, revision: found.revision };
}
