import { dirname } from 'node:path';
import type { Spec } from '../contracts/spec/spec.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { locateModel } from './identity.ts';

/** Folders with the tokenizers of the models that read graded text in a run: judge, base, and the grader, which has its base's. Models of the hub have none. */
export function tokenizerFolders({ judge, base }: Spec, paths: RunPaths): string[] {
  const root = dirname(dirname(paths.dir));
  return [judge, base].flatMap((role) => {
    const location = locateModel(root, role);
    return 'kind' in location && location.kind === 'folder' ? [location.path] : [];
  });
}
