/**
 * What a child may see of this process's environment, besides what it is given. No key is among these: each child gets only
 * those that it needs, by name, from the code that starts it.
 */
const passedOn = [
  // The system.
  ...['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR', 'LD_LIBRARY_PATH', 'SSL_CERT_FILE'],
  // GPUs, as the node's scheduler handed them out, and the toolkit that vLLM compiles kernels with.
  ...['CUDA_VISIBLE_DEVICES', 'CUDA_DEVICE_ORDER', 'CUDA_HOME', 'NVIDIA_VISIBLE_DEVICES', 'NVIDIA_DRIVER_CAPABILITIES'],
  // Caches and switches of the hub; never HF_TOKEN.
  ...['HF_HOME', 'HF_HUB_CACHE', 'HF_DATASETS_CACHE', 'HF_HUB_OFFLINE', 'HF_ENDPOINT', 'XDG_CACHE_HOME'],
  ...['TRITON_CACHE_DIR', 'TORCHINDUCTOR_CACHE_DIR', 'VLLM_CACHE_ROOT', 'OMP_NUM_THREADS'],
  // Compiled modules of Node, where the command that started this one keeps them.
  'NODE_COMPILE_CACHE',
  'GAVEL_FAILPOINTS',
];
/** Settings that a cluster makes for its network. */
const passedOnPrefixes = ['NCCL_', 'GLOO_', 'UCX_'];

/** Environment variable that names what a process belongs to: <node>:<run directory>/<stage>/e<epoch>. */
export const TAG = 'GAVEL_TAG';
/** Environment variable that names the process that started it: a pid and when that started. */
export const OWNER = 'GAVEL_OWNER';
/** Environment variable that names the one child, and its descendants, among those with the same tag. */
export const CHILD = 'GAVEL_CHILD';

/**
 * The whole environment of a child: the allow-list from `parent`, then `given` on top.
 * This process's environment is only passed on here, never read as configuration.
 */
export function childEnvironment(given: Record<string, string | undefined>, parent: NodeJS.ProcessEnv = process.env) {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(parent)) {
    const passes = passedOn.includes(name) || passedOnPrefixes.some((prefix) => name.startsWith(prefix));
    if (passes && value !== undefined) env[name] = value;
  }
  for (const [name, value] of Object.entries(given)) if (value !== undefined) env[name] = value;
  // setproctitle, which vLLM uses, otherwise overwrites the memory behind /proc/PID/environ, and with it the tag.
  env.SPT_NOENV ??= '1';
  env.PYTHONUNBUFFERED ??= '1';
  return env;
}
