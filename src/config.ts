import { homedir, hostname } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type KeyHosts, parseKeyHosts } from './key-hosts.ts';

/** Everything that gavel reads from its environment, read here and nowhere else. */
export interface Config {
  /** Folder of the program: sources, `.venv`, `node_modules`. */
  package_root: string;
  /** Folder that holds `runs/` and that paths in a spec resolve under. */
  root: string;
  /**
   * Task queue of the root whose runs a client starts and steers; null takes GAVEL_ROOT's. For a machine that does not mount
   * the root of the workers.
   */
  task_queue: string | null;
  /** This machine's name among the workers. */
  node: string;
  /** Python interpreter of the trainers and of vLLM. */
  python: string;
  /** Temporal CLI: the dev server. */
  temporal_cli: string;
  /** Node binary that runs this process; children run under the same. */
  node_binary: string;
  /** GPU ids given instead of asking the driver; null asks. */
  gpus: string[] | null;
  cuda_visible_devices: string | null;
  /** Key of a gateway that a person starts; null lets gavel make one. */
  api_key: string | null;
  /** Which variables hold keys that a run may use, and the hosts that each may be sent to; no other key leaves this worker. */
  key_hosts: KeyHosts;
  /** Flags of vLLM and of accelerate that a spec may set here besides those that every worker allows. */
  allow_args: string[];
  /** warn: a run whose estimate does not fit is reported in the worker's log, and starts. */
  fit: 'refuse' | 'warn';
  /** File that counts out-of-memory kills instead of the kernel's, so that a fault campaign can cause one; null asks the kernel. */
  oom_counter: string | null;
  /** The worker's environment keeps Hugging Face's libraries from asking the hub (HF_HUB_OFFLINE). */
  offline: boolean;
  /** Folder in which Hugging Face's libraries keep models of the hub. */
  hub_cache: string;
  /** Folder in which programs keep what a person would miss, by the XDG Base Directory specification. */
  state_home: string;
  debug: boolean;
  color: boolean;
}

/** Reads the configuration. Never fails: the code that uses a value checks it. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const package_root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
  const bin = join(package_root, '.venv/bin');
  return {
    package_root,
    root: resolve(env.GAVEL_ROOT || package_root),
    task_queue: env.GAVEL_TASK_QUEUE || null,
    node: env.GAVEL_NODE || hostname(),
    python: env.GAVEL_PYTHON || join(bin, 'python'),
    temporal_cli: env.GAVEL_TEMPORAL_CLI || join(bin, 'temporal'),
    node_binary: process.execPath,
    gpus: env.GAVEL_GPUS === undefined ? null : env.GAVEL_GPUS.split(',').filter(Boolean),
    cuda_visible_devices: env.CUDA_VISIBLE_DEVICES ?? null,
    api_key: env.GAVEL_API_KEY || null,
    key_hosts: parseKeyHosts(env.GAVEL_KEYS ?? ''),
    allow_args: (env.GAVEL_ALLOW_ARGS ?? '').split(/[\s,]+/).filter(Boolean),
    fit: env.GAVEL_FIT === 'warn' ? 'warn' : 'refuse',
    oom_counter: env.GAVEL_OOM_COUNTER || null,
    offline: !['', '0'].includes(env.HF_HUB_OFFLINE ?? ''),
    hub_cache: hubCache(env),
    state_home: env.XDG_STATE_HOME || join(homedir(), '.local/state'),
    debug: env.GAVEL_DEBUG === '1',
    color: !env.NO_COLOR && process.stdout.isTTY === true && env.TERM !== 'dumb',
  };
}

/** As huggingface_hub finds it. */
function hubCache({ HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME }: NodeJS.ProcessEnv): string {
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
  return HF_HUB_CACHE || join(home, 'hub');
}

/** Value of the variable that a spec names as the holder of a judge's key; null where it is unset or empty. */
export function secretFrom(name: string, env: NodeJS.ProcessEnv = process.env): string | null {
  return env[name] || null;
}

/** Failpoints that a test or a fault campaign switched on, separated by commas; src/failpoints.ts reads the names. */
export const failpointsNamed = (env: NodeJS.ProcessEnv = process.env): string => env.GAVEL_FAILPOINTS ?? '';

/** Environment that every Python child gets on top of its own variables; `offline` where all its models are folders. */
export function pythonEnv(
  config: Config,
  offline: boolean,
  env: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const pythonPath = [join(config.package_root, 'python'), env.PYTHONPATH].filter(Boolean).join(delimiter);
  return {
    GAVEL_ROOT: config.root,
    // GPUs that only stand in for real ones: the child computes on the CPU, and must not look for them.
    ...(config.gpus !== null && { GAVEL_GPUS: config.gpus.join(',') }),
    PYTHONPATH: pythonPath,
    PYTHONUNBUFFERED: '1',
    TOKENIZERS_PARALLELISM: 'false',
    // Loading a model from a folder must not wait for a hub to answer.
    ...(offline || env.HF_HUB_OFFLINE ? { HF_HUB_OFFLINE: env.HF_HUB_OFFLINE ?? '1' } : {}),
    ...(env.HF_HOME ? { HF_HOME: env.HF_HOME } : {}),
    ...(env.HF_TOKEN ? { HF_TOKEN: env.HF_TOKEN } : {}),
    HF_HUB_DISABLE_TELEMETRY: '1',
    VLLM_NO_USAGE_STATS: '1',
    DO_NOT_TRACK: '1',
  };
}
