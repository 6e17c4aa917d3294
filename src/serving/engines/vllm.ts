import { argsProblem, refusedArgs, VLLM_FLAGS } from '../../contracts/spec/flags.ts';
import type { ServeSpec } from '../../contracts/spec/serve.ts';
import { invalidSpec } from '../../failures.ts';
import { type ModelLocation, modelArgument } from '../identity.ts';
import type { ServedAdapters } from '../served-model.ts';

/** Command line and environment of one vLLM server. */
export interface VllmCommand {
  args: string[];
  env: Record<string, string>;
}

export interface VllmOptions {
  location: ModelLocation;
  /** Name that clients ask for. */
  served_name: string;
  host: string;
  port: number;
  serve: ServeSpec;
  /** Adapters that are loaded and unloaded while it serves; absent: none. */
  adapters?: ServedAdapters | undefined;
  /** A trainer sends it all of its weights at each step; absent: none does. */
  takes_weights?: boolean | undefined;
  /** Flags that this worker allows a spec besides those that every worker allows. */
  allow_args: string[];
  /** Key that clients have to send. vLLM gets it in its environment, because every user of the machine can read command lines. */
  api_key: string;
  /** UUIDs of the leased GPUs; empty runs the CPU build. */
  gpus: string[];
}

/** Arguments for `python` that serve a model; the same flags on the CPU build and on CUDA. Throws InvalidSpec for flags that are not allowed. */
export function vllmCommand(options: VllmOptions): VllmCommand {
  const { location, served_name, host, port, serve, allow_args, gpus } = options;
  const refused = refusedArgs(serve.extra_args, VLLM_FLAGS, allow_args);
  if (refused.length > 0) {
    throw invalidSpec([{ field: 'serve.extra_args', message: argsProblem(refused, VLLM_FLAGS) }]);
  }
  const onCpu = gpus.length === 0;
  const args = ['-m', 'gavel_train.serving.vllm', '--model', modelArgument(location)];
  if (location.kind === 'hub') args.push('--revision', location.revision);
  args.push('--served-model-name', served_name);
  args.push('--host', host, '--port', String(port), '--dtype', serve.dtype);
  // Without it vLLM takes unset sampling settings from the model's generation_config.json, for example a repetition penalty.
  args.push('--generation-config', 'vllm');
  if (serve.max_model_len !== null) args.push('--max-model-len', String(serve.max_model_len));
  if (serve.tensor_parallel_size > 1) args.push('--tensor-parallel-size', String(serve.tensor_parallel_size));
  if (serve.data_parallel_size > 1) args.push('--data-parallel-size', String(serve.data_parallel_size));
  if (serve.gpu_memory_utilization !== null && !onCpu) {
    args.push('--gpu-memory-utilization', String(serve.gpu_memory_utilization));
  }
  // Compiling graphs costs minutes on a CPU and gains nothing at the sizes that one serves there.
  if (onCpu) args.push('--enforce-eager');
  // vLLM's build for the CPU (seen in 0.32) dies of a request with a seed whose prompt it computes in parts.
  if (onCpu) args.push('--no-enable-chunked-prefill');
  if (options.adapters) args.push(...adapterArgs(options.adapters));
  if (options.takes_weights) args.push(...WEIGHT_ARGS);
  // vLLM asks for its key on some paths only.
  args.push('--middleware', 'gavel_train.serving.every_path.KeyOnEveryPath');
  // A line for each request would outgrow every other log of the run.
  args.push('--disable-uvicorn-access-log', ...serve.extra_args);
  const place = onCpu ? cpuEnv : { CUDA_VISIBLE_DEVICES: gpus.join(',') };
  const loading = options.adapters ? { VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True' } : {};
  // The routes that take weights are among those that vLLM has for development.
  const taking = options.takes_weights ? { VLLM_SERVER_DEV_MODE: '1' } : {};
  return { args, env: { ...place, ...loading, ...taking, VLLM_API_KEY: options.api_key } };
}

/** The ranks that vLLM's --max-lora-rank takes. */
const MAX_LORA_RANKS = [8, 16, 32, 64, 128, 256, 320, 512];
// A completion is of use once it has ended: one piece of it at its first token, and one with the rest.
const STREAM_INTERVAL = '1000000';

// As TRL's `trl vllm-serve` starts it (trl/scripts/vllm_serve.py). The log-probabilities are those of the distribution sampled from.
const WEIGHT_ARGS = ['--weight-transfer-config', '{"backend": "nccl"}', '--logprobs-mode', 'processed_logprobs'];

/** Flags of a server whose adapters come and go, and whose log-probabilities are those of the distribution that it samples from. */
function adapterArgs({ rank, count }: ServedAdapters): string[] {
  const room = MAX_LORA_RANKS.find((allowed) => allowed >= rank) ?? rank;
  const loras = ['--max-lora-rank', String(room), '--max-loras', String(count), '--max-cpu-loras', String(count)];
  return ['--enable-lora', ...loras, '--logprobs-mode', 'processed_logprobs', '--stream-interval', STREAM_INTERVAL];
}

const cpuEnv = {
  CUDA_VISIBLE_DEVICES: '',
  // GiB of KV cache: the default takes half of the memory, and several servers share a machine.
  VLLM_CPU_KVCACHE_SPACE: '1',
  // Bound threads would sit on the cores that the trainer and the other servers use.
  VLLM_CPU_OMP_THREADS_BIND: 'nobind',
  OMP_NUM_THREADS: '1',
};
