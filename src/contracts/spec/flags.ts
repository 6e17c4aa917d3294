/**
 * Which flags a spec may hand to vLLM and to accelerate: those that decide speed and memory. None binds an address, loads code,
 * names another model or changes how replies are sampled. It is a list of what is allowed, since both programs gain flags with
 * each version, and their parsers take any unambiguous beginning of a flag for it.
 */
export type Flags = Record<string, 'switch' | 'value'>;

const flags = (kind: 'switch' | 'value', names: string): Flags =>
  Object.fromEntries(names.split(' ').map((name) => [name, kind]));

export const VLLM_FLAGS: Flags = {
  ...flags('switch', 'enable-prefix-caching enable-chunked-prefill enforce-eager enable-expert-parallel'),
  ...flags('switch', 'async-scheduling disable-custom-all-reduce disable-cascade-attn language-model-only'),
  ...flags('switch', 'disable-log-stats enable-log-requests'),
  ...flags('value', 'max-num-seqs max-num-batched-tokens block-size kv-cache-dtype kv-cache-memory-bytes'),
  ...flags('value', 'cpu-offload-gb quantization pipeline-parallel-size attention-backend moe-backend'),
  ...flags('value', 'scheduling-policy seed reasoning-parser max-cudagraph-capture-size'),
  ...flags('value', 'tokenizer-mode limit-mm-per-prompt optimization-level performance-mode'),
};

export const ACCELERATE_FLAGS: Flags = {
  ...flags('switch', 'enable-cpu-affinity'),
  ...flags('value', 'mixed-precision num-cpu-threads-per-process dynamo-backend dynamo-mode'),
  ...flags('value', 'offload-optimizer-device offload-param-device gradient-clipping zero3-init-flag'),
  ...flags('value', 'zero3-save-16bit-model fsdp-offload-params fsdp-min-num-params fsdp-reshard-after-forward'),
  ...flags('value', 'fsdp-auto-wrap-policy fsdp-transformer-layer-cls-to-wrap fsdp-state-dict-type'),
  ...flags('value', 'fsdp-activation-checkpointing'),
};

/** `--max_num_seqs=8` is `max-num-seqs`; both programs take either spelling. */
export const flagName = (arg: string): string => (arg.split('=', 1)[0] ?? '').replace(/^--/, '').replaceAll('_', '-');

/** What begins with a dash is a value if it is a number; any other is a flag to the parsers, `-cc.backend` of vLLM as well as `--host`. */
const isValue = (arg: string) => !arg.startsWith('-') || /^-\d+(?:\.\d+)?$/.test(arg);

/** The arguments that are neither an allowed flag nor the value of one; `widened` are flags that a worker allows besides. */
export function refusedArgs(args: readonly string[], allowed: Flags, widened: readonly string[]): string[] {
  const more = widened.map(flagName);
  const refused: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] as string;
    const name = flagName(arg);
    const kind = allowed[name] ?? (allowed[name.replace(/^no-/, '')] === 'switch' ? 'switch' : undefined);
    const valueFollows = !arg.includes('=') && at + 1 < args.length && isValue(args[at + 1] as string);
    if (!arg.startsWith('--')) refused.push(arg);
    else if (more.includes(name)) at += valueFollows ? 1 : 0;
    else if (kind === 'value' && (valueFollows || arg.includes('='))) at += valueFollows ? 1 : 0;
    else if (kind !== 'switch' || arg.includes('=')) refused.push(arg);
  }
  return refused;
}

/** What is wrong with refused arguments, and what to do about it. */
export const argsProblem = (refused: readonly string[], allowed: Flags): string =>
  `expected flags that a spec may set (${Object.keys(allowed)
    .map((name) => `--${name}`)
    .join(' ')}); found ${refused.join(' ')}. ` +
  `A worker allows more, at its own risk, with GAVEL_ALLOW_ARGS="${refused.filter((arg) => arg.startsWith('--')).join(' ')}"`;
