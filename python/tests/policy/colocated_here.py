"""Runs the GRPO stage with TRL's colocate mode on vLLM's CPU build: `python colocated_here.py EPOCH_DIR`.

Two things differ from a stage on a GPU. gavel's refusal is off. And vLLM keeps its weights as they were
loaded: the CPU build packs those of linear layers for oneDNN and drops the parameters, so that TRL's push
ends with "'Parameter' object has no attribute 'weight_loader'".
"""

import os

os.environ |= {
    "CUDA_VISIBLE_DEVICES": "",
    "ACCELERATE_USE_CPU": "true",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}

import torch

from gavel_train.policy import grpo, trl_config
from gavel_train.run.outcome import run_stage


def keep_weights_as_loaded() -> None:
    from vllm.model_executor.layers import utils

    def plain(layer, remove_weight):
        layer.cpu_linear = torch.nn.functional.linear

    utils.dispatch_cpu_unquantized_gemm = plain


if __name__ == "__main__":
    keep_weights_as_loaded()
    trl_config.refuse_without_gpu = lambda grpo: None
    run_stage("grpo", grpo.main)
