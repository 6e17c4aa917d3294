import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checker, root } from './files.ts';

const within = (folder: string, ending: string) =>
  readdirSync(join(root, 'temporal-config', folder))
    .filter((name) => name.endsWith(ending) && name !== 'kustomization.yaml')
    .map((name) => join(root, 'temporal-config', folder, name));

// Programs of others, which know shell, images and Kubernetes better than a test could. None needs a network or a cluster.
describe.each([
  {
    name: 'shellcheck',
    options: ['--severity=style'],
    files: [...within('slurm', '.sbatch'), ...within('temporal', '.sh'), ...within('', '.sh')],
  },
  { name: 'hadolint', options: ['--failure-threshold=style'], files: within('container', 'Containerfile') },
  { name: 'kubernetes-validate', options: ['--strict', '--quiet'], files: within('kubernetes', '.yaml') },
])('$name', ({ name, options, files }) => {
  const path = checker(name);
  if (path === null) console.warn(`SKIPPED: ${name} is not installed, so these were not checked: ${files.join(', ')}`);

  it.skipIf(path === null)('has nothing to say', () => {
    expect(files.length).toBeGreaterThan(0);
    const { status, stdout, stderr } = spawnSync(path as string, [...options, ...files], { encoding: 'utf8' });
    expect(`${stdout}${stderr}`).toBe('');
    expect(status).toBe(0);
  });
});
