import { parseKeyHosts } from '../key-hosts.ts';

/**
 * Which variables of this process's environment every child gets. The person who runs the worker sets them; a spec cannot.
 * No key is among them: each child gets only those that it needs, by name, from the code that starts it.
 */
const NAMES: ReadonlySet<string> = new Set([
  // The system.
  ...['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR', 'LD_LIBRARY_PATH', 'XDG_CACHE_HOME'],
  // GPUs, as the node's scheduler handed them out.
  ...['NVIDIA_VISIBLE_DEVICES', 'NVIDIA_DRIVER_CAPABILITIES', 'NVIDIA_TF32_OVERRIDE'],
  // The way out of a site's network: Python's clients read either spelling.
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'],
  // A site's own certificates, as OpenSSL, requests and Node find them.
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'],
  ...['NODE_USE_SYSTEM_CA', 'OMP_NUM_THREADS', 'TRANSFORMERS_OFFLINE', 'TRANSFORMERS_VERBOSITY'],
  // A folder of compiled modules, and paths and switches whose names only look like keys.
  ...['NODE_COMPILE_CACHE', 'HF_TOKEN_PATH', 'HF_HUB_DISABLE_IMPLICIT_TOKEN', 'GAVEL_FAILPOINTS'],
]);

/** Tuning of libraries, whose variables are too many to list and change with each version. */
const PREFIXES = [
  ...['CUDA_', 'CUBLAS_', 'CUDNN_', 'NCCL_', 'NVSHMEM_', 'GLOO_', 'UCX_'],
  ...['PYTORCH_', 'TORCH_', 'TORCHINDUCTOR_', 'TRITON_', 'VLLM_', 'HF_'],
];

/** Names with those prefixes that no child inherits. */
const NEVER = [
  // Keys, by how they are named. Python children get HF_TOKEN from the code that starts them, and no other child does.
  /^HF_.*TOKEN|_TOKEN(S)?(_[A-Z])?$|(^|_)(API)?KEYS?(_|$)|PASS(WORD|WD|PHRASE)?(_|$)|SECRET|CREDENTIAL|_PAT$|_REDIS_URL$/,
  // Permissions: code of the hub, pickles that run code, adapters that a running server loads, a server's requests for developers.
  /^(HF|VLLM)_ALLOW_(?!CHUNKED_|LONG_)|TRUST|INSECURE|_DEV_MODE$|_NO_WEIGHTS_ONLY_LOAD$|_LORA_RESOLVER_/,
  // Where a server listens. gavel chooses that; besides, Kubernetes sets VLLM_PORT for a service named vllm.
  /^VLLM_(.*_)?(PORT|HOST|IPS?)(_|$)/,
  // Which model and which engine are served: the digests of a run name what its spec names.
  /^VLLM_(MODEL_REDIRECT_PATH|USE_MODELSCOPE|SKIP_MODEL_NAME_VALIDATION|TARGET_DEVICE|TEST_|.*RUST_FRONTEND)/,
  // Ranks of a group, which would make a server wait for others.
  /^VLLM_(DP|RAY)_/,
  // Code that vLLM imports, and simulated replies.
  /^VLLM_PLUGINS$|_SIMULATION_/,
];

const passes = (name: string): boolean =>
  NAMES.has(name) || (PREFIXES.some((prefix) => name.startsWith(prefix)) && !NEVER.some((never) => never.test(name)));

/** gavel's own servers listen there, and a proxy on another machine reaches none of them. */
const LOOPBACK = ['127.0.0.1', 'localhost'];

/** What a child gets of `parent`. What the worker binds to a host as a key (GAVEL_KEYS) is a key whatever its name is. */
export function passedOn(parent: NodeJS.ProcessEnv): Record<string, string> {
  const env: Record<string, string> = {};
  const keys = Object.keys(parseKeyHosts(parent.GAVEL_KEYS ?? ''));
  for (const [name, value] of Object.entries(parent)) {
    if (passes(name) && !keys.includes(name) && value !== undefined) env[name] = value;
  }
  return Object.keys(env).some((name) => /_proxy$/i.test(name)) ? { ...env, ...aroundTheProxy(parent) } : env;
}

/**
 * NO_PROXY in both spellings, since Python and Node read the lower-case one first where both are set; and the switch without which
 * Node's fetch uses no proxy at all.
 */
function aroundTheProxy({ no_proxy, NO_PROXY }: NodeJS.ProcessEnv): Record<string, string> {
  const entries = (no_proxy || NO_PROXY || '').split(',').map((entry) => entry.trim());
  // Python takes an asterisk for all hosts where it stands alone.
  const around = entries.includes('*') ? '*' : [...new Set([...entries.filter(Boolean), ...LOOPBACK])].join(',');
  return { NO_PROXY: around, no_proxy: around, NODE_USE_ENV_PROXY: '1' };
}
