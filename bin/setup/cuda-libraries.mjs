// What a CUDA build of torch needs beside what every build needs. requirements-cuda.lock has the hashes; the CPU lock leaves them out,
// since a CPU build needs none of them.
export const CUDA_LIBRARIES = [
  ...['triton', 'cuda-bindings', 'cuda-pathfinder', 'cuda-toolkit'],
  ...['cublas', 'cuda-cupti', 'cuda-nvrtc', 'cuda-runtime', 'cudnn-cu13', 'cufft', 'cufile', 'curand', 'cusolver']
    .concat(['cusparse', 'cusparselt-cu13', 'nccl-cu13', 'nvjitlink', 'nvshmem-cu13', 'nvtx'])
    .map((name) => `nvidia-${name}`),
];

/** The entries of a lock file, hashes included, for the packages in `names`. */
export function entriesOf(lock, names) {
  const entries = lock.split(/^(?=[A-Za-z0-9])/m);
  return entries.filter((entry) => names.includes(/^[A-Za-z0-9._-]+/.exec(entry)?.[0])).join('');
}
