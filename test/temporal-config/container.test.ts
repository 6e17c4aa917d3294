import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, matchesGlob } from 'node:path';
import { describe, expect, it } from 'vitest';
import { read, root } from './files.ts';

/** Instructions with continuation lines joined and comments left out. */
const instructions = read('temporal-config/container/Containerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line.trim() !== '');
const setUp = instructions.findIndex((line) => line.includes('bin/setup.mjs'));
const ignored = read('temporal-config/container/Containerfile.dockerignore')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));
const isIgnored = (path: string) =>
  ignored.some((pattern) => matchesGlob(path, pattern) || matchesGlob(path, `${pattern}/**`));

/** Paths that instructions copy from the clone. */
const copied = (lines: string[]) =>
  lines
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
    .flatMap((line) => line.split(' ').slice(1, -1));

describe('temporal-config/container/Containerfile', () => {
  it('takes its bases from arguments, and a Node that is new enough', () => {
    const bases = instructions.filter((line) => line.startsWith('FROM '));
    expect(bases.map((line) => /^FROM \$\{(\w+)\}( AS node)?$/.exec(line)?.[1])).toEqual(['NODE_IMAGE', 'CUDA_IMAGE']);
    const least = Number(/>=(\d+)/.exec(JSON.parse(read('package.json')).engines.node)?.[1]);
    expect(Number(/^ARG NODE_IMAGE=node:(\d+)/m.exec(instructions.join('\n'))?.[1])).toBeGreaterThanOrEqual(least);
    expect(instructions.join('\n')).toMatch(/^ARG CUDA_IMAGE=\S+-runtime-\S+$/m);
  });

  it('copies all that set-up reads before it runs it', () => {
    expect(setUp).toBeGreaterThan(0);
    const engine = /^ENV GAVEL_ENGINE=(\w+)$/m.exec(instructions.slice(0, setUp).join('\n'))?.[1];
    const sources = copied(instructions.slice(0, setUp));
    expect(sources).toContain(`python/requirements-${engine}.lock`);
    const image = mkdtempSync(join(tmpdir(), 'gavel-image-'));
    try {
      for (const source of sources) {
        expect(existsSync(join(root, source)), source).toBe(true);
        cpSync(join(root, source), join(image, source), { recursive: true });
      }
      // It imports every part of set-up, and reads package-lock.json to say that the packages are not there.
      const code = `import('${join(image, 'bin/setup.mjs')}').then((setup) => console.log(setup.isSetUp()))`;
      expect(execFileSync(process.execPath, ['-e', code], { encoding: 'utf8' }).trim()).toBe('false');
    } finally {
      rmSync(image, { recursive: true, force: true });
    }
  });

  it('leaves runs, keys, environments and the marker out, and nothing that the program needs', () => {
    const out = ['.git/config', '.gavel-root', '.gavel/temporal.db', '.venv/bin/python', 'node_modules/zod/index.js'];
    for (const path of [...out, 'runs/a/spec.json', 'temporal-config/temporal/.env', 'src/__pycache__/a.pyc'])
      expect(isIgnored(path), path).toBe(true);
    const needed = [
      'bin/gavel.mjs',
      'src/cli.ts',
      'workflows/index.ts',
      'activities/index.ts',
      'python/gavel_train/policy/grpo.py',
    ];
    for (const path of [...needed, 'package.json', 'examples/poly-easy.yaml', ...copied(instructions.slice(0, setUp))])
      expect(isIgnored(path), path).toBe(false);
  });

  it('runs gavel without a shell, behind tini, as a user without rights', () => {
    const entry = instructions.find((line) => line.startsWith('ENTRYPOINT '))?.slice('ENTRYPOINT '.length) ?? '';
    const folder = instructions.find((line) => line.startsWith('WORKDIR '))?.split(' ')[1];
    expect(JSON.parse(entry)).toEqual(['/usr/bin/tini', '--', 'node', `${folder}/bin/gavel.mjs`]);
    expect(instructions.find((line) => line.startsWith('RUN apt-get'))).toMatch(/ tini /);
    expect(instructions.filter((line) => line.startsWith('USER ')).at(-1)).toMatch(/^USER [1-9]\d+:[1-9]\d+$/);
  });

  it('has a GAVEL_ROOT that is empty until a volume is mounted', () => {
    const folder = /^ENV GAVEL_ROOT=(\S+)$/m.exec(instructions.join('\n'))?.[1];
    expect(folder).toMatch(/^\//);
    expect(folder).not.toMatch(/^\/opt\/gavel/);
    expect(instructions.join('\n')).not.toMatch(/touch|\.gavel-root/);
  });
});
