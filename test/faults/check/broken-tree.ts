import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const package_root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/** A change to one source file that takes one guarantee away. */
export interface Breakage {
  file: string;
  from: string;
  to: string;
}

/** A copy of the sources with the breakages in it; what a breakage looks for has to be there, or the test tests nothing. */
export function brokenTree(folder: string, breakages: readonly Breakage[]): string {
  const tree = join(folder, 'tree');
  mkdirSync(tree, { recursive: true });
  for (const name of ['src', 'python/gavel_train', 'package.json', 'examples', 'bench/faults/observe/record-fsyncs']) {
    cpSync(join(package_root, name), join(tree, name), { recursive: true });
  }
  for (const name of ['node_modules', '.venv', 'models']) symlinkSync(join(package_root, name), join(tree, name));
  for (const { file, from, to } of breakages) {
    const path = join(tree, file);
    const text = readFileSync(path, 'utf8');
    if (!text.includes(from)) throw new Error(`${file} does not hold what was to be broken: ${from}`);
    writeFileSync(
      path,
      text.replace(from, () => to),
    );
  }
  return tree;
}

/** A `python` that runs the trainer without tensors in place of stage grpo. */
export function miniPython(folder: string): string {
  const path = join(folder, 'mini-python');
  const python = join(package_root, '.venv/bin/python');
  const trainer = join(package_root, 'test/faults/check/mini_trainer.py');
  writeFileSync(path, `#!/bin/sh\nshift\nexec '${python}' '${trainer}' "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

export const removeTree = (folder: string) => rmSync(folder, { recursive: true, force: true });
