import { stringify } from 'yaml';
import type { Spec } from '../contracts/spec/spec.ts';

/** A stage that trains, in as many ranks as its `processes` say. */
export type TrainingStage = 'grpo' | 'sft';

/** True where `accelerate launch` starts the stage's ranks: several, on GPUs. */
export const isLaunched = (stage: TrainingStage, spec: Spec): boolean =>
  spec[stage].processes > 1 && spec.placement.trainer_gpus > 0;

const FSDP2 = {
  fsdp_version: 2,
  fsdp_auto_wrap_policy: 'TRANSFORMER_BASED_WRAP',
  fsdp_reshard_after_forward: true,
  fsdp_offload_params: false,
  // With it transformers fills the weights of every rank but the first with zeros, also those of a model that is loaded after the
  // training to sample with, which nothing fills again.
  fsdp_cpu_ram_efficient_loading: false,
  // A checkpoint holds the whole weights, so that a process without sharding can load it.
  fsdp_state_dict_type: 'FULL_STATE_DICT',
};

const zero = (stage: 2 | 3) => ({
  zero_stage: stage,
  offload_optimizer_device: 'none',
  offload_param_device: 'none',
  zero3_init_flag: stage === 3,
  zero3_save_16bit_model: stage === 3,
});

const SHARDING = {
  ddp: { distributed_type: 'MULTI_GPU' },
  fsdp2: { distributed_type: 'FSDP', fsdp_config: FSDP2 },
  zero2: { distributed_type: 'DEEPSPEED', deepspeed_config: zero(2) },
  zero3: { distributed_type: 'DEEPSPEED', deepspeed_config: zero(3) },
};

/**
 * The configuration that `accelerate launch` reads for a stage of several ranks on GPUs, as YAML. Without a file of ours it reads the
 * user's, where `accelerate config` may have chosen other GPUs than the leased ones.
 */
export function launchConfig(stage: TrainingStage, spec: Spec): string {
  const { processes, dtype } = spec[stage];
  return stringify({
    compute_environment: 'LOCAL_MACHINE',
    ...SHARDING[stage === 'grpo' ? spec.grpo.sharding : 'ddp'],
    num_machines: 1,
    machine_rank: 0,
    num_processes: processes,
    // All that CUDA_VISIBLE_DEVICES shows, which are the leased ones.
    gpu_ids: 'all',
    // accelerate finds a free port by itself.
    main_process_port: 0,
    mixed_precision: dtype === 'bfloat16' ? 'bf16' : 'no',
  });
}
