"""What each process of a run needs, held against the machine: trainers and served models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from gavel_train.contracts import FitChange, FitMachine, FitNeed, FitPart, LoraSpec, ServeSpec, Spec
from gavel_train.fit.served import DEFAULT_UTILIZATION, served
from gavel_train.fit.shape import Shape
from gavel_train.fit.sharing import sharing_of
from gavel_train.fit.trainer import peak
from gavel_train.fit.training import Training
from gavel_train.fit.weigh import changes, gib, largest_micro_batch, verdict_of

# The CUDA context, cuBLAS and the like: 0.5 to 1 GiB on cards in use. It was not measured for this project.
_CUDA_BYTES = 2**30
# Flags of vLLM with which its weights or its cache take other room than is computed here.
_OTHER_ROOM = ("quantization", "kv-cache", "cpu-offload", "pipeline-parallel")
# The field of placement that holds the GPUs of each served role.
_PLACED = {"judge": "judge_gpus", "policy": "rollout_gpus", "grader": "grader_gpus", "base": "grader_gpus"}
# TRL's default of vllm_gpu_memory_utilization, for the vLLM inside a trainer.
_COLOCATED_SHARE = 0.3


def gpu_bytes(machine: FitMachine) -> int | None:
    """Return the memory of the largest GPU: only what fits on no GPU is refused. None where it is unknown."""
    return max(machine.gpu_bytes, default=0) or None


def smallest_gpu(machine: FitMachine) -> int | None:
    """Return the memory of the smallest GPU, which a choice must fit. None where one is unknown."""
    return min(machine.gpu_bytes, default=0) or None


def training_of(spec: Spec, shape: Shape, prompt_tokens: int, micro_batch: int | None = None) -> Training:
    """Return one rank's share of a step; `micro_batch` is what was chosen where the spec has none."""
    grpo = spec.grpo
    on_gpu = spec.placement.trainer_gpus > 0
    rows = grpo.prompts_per_step * grpo.num_generations // grpo.processes
    return Training(
        shape=shape,
        prompt_tokens=prompt_tokens,
        completion_tokens=grpo.max_completion_tokens,
        rows=rows,
        micro_batch=grpo.micro_batch_size or micro_batch or rows,
        num_generations=grpo.num_generations,
        mixed=grpo.dtype == "bfloat16",
        checkpointing=grpo.gradient_checkpointing,
        lora=grpo.lora,
        reference=grpo.beta > 0,
        rollout=grpo.rollout,
        ranks=grpo.processes,
        on_gpu=on_gpu,
        sharing=sharing_of(grpo.sharding, grpo.accelerate_args),
    )


def trainer_need(
    spec: Spec, machine: FitMachine, shape: Shape, prompt_tokens: int
) -> tuple[FitNeed, int | None]:
    """Return what one rank of the GRPO trainer needs, and the micro batch chosen for `null` on GPUs."""
    grpo = spec.grpo
    on_gpu = spec.placement.trainer_gpus > 0
    available = gpu_bytes(machine) if on_gpu else machine.memory_bytes // grpo.processes
    training = training_of(spec, shape, prompt_tokens)
    rows = training.rows
    extra = _beside(training, available, spec.policy.serve.gpu_memory_utilization or _COLOCATED_SHARE)
    besides = sum(part.bytes for part in extra)

    def needed(other: Training) -> int:
        return peak(other).bytes + besides

    chosen: int | None = None
    smallest = smallest_gpu(machine)
    unsure = shape.no_formula
    if unsure is None and grpo.sharding != "ddp":
        unsure = f"{grpo.sharding} shares it out"
    if on_gpu and smallest is not None and unsure is None and grpo.micro_batch_size is None:
        chosen = largest_micro_batch(rows, lambda size: needed(replace(training, micro_batch=size)), smallest)
        training = replace(training, micro_batch=chosen)
    moment = peak(training)
    total = moment.bytes + besides
    return (
        FitNeed(
            stage="grpo",
            what="trainer",
            device="gpu" if on_gpu else "cpu",
            copies=grpo.processes,
            moment=moment.name,
            parts=[*moment.parts, *extra],
            bytes=total,
            available_bytes=available,
            verdict=verdict_of(total, None if unsure else available),
            changes=changes(_trainer_changes(training, needed), total, available),
            note=_note(f"micro batch {training.micro_batch} of {rows} completions", unsure),
        ),
        chosen,
    )


def _beside(training: Training, available: int | None, share: float) -> list[FitPart]:
    if not training.on_gpu:
        return []
    extra = [FitPart(name="CUDA context", bytes=_CUDA_BYTES, how="assumed, not measured")]
    if training.rollout == "vllm_colocate" and available is not None:
        size = int(share * available)
        extra.append(FitPart(name="vLLM inside", bytes=size, how=f"it takes {share:g} of the GPU"))
    return extra


def _trainer_changes(training: Training, needed: Callable[[Training], int]) -> Iterator[tuple[str, str, int]]:
    """Yield changes that need less, those that cost the least first; the later ones besides the first two."""
    rows, micro = training.rows, training.micro_batch
    smaller = [size for size in range(micro - 1, 0, -1) if rows % size == 0]
    if not training.checkpointing:
        yield "grpo.gradient_checkpointing", "true", needed(replace(training, checkpointing=True))
    for size in smaller:
        yield "grpo.micro_batch_size", str(size), needed(replace(training, micro_batch=size))
    least = replace(training, micro_batch=min([micro, *smaller]), checkpointing=True)
    if training.completion_tokens > 1:
        half = training.completion_tokens // 2
        yield "grpo.max_completion_tokens", str(half), needed(replace(least, completion_tokens=half))
    if training.lora is None:
        yield "grpo.lora", "{r: 16}", needed(replace(least, lora=LoraSpec()))


def _note(said: str | None, unsure: str | None) -> str | None:
    parts = [said, None if unsure is None else f"the sum is no estimate: {unsure}"]
    return "; ".join(part for part in parts if part is not None) or None


def sft_need(spec: Spec, machine: FitMachine, shape: Shape) -> FitNeed:
    """Return what one rank of the SFT trainer needs whatever its examples are: weights and adapter.

    The micro batch follows the examples, which only the traces of GRPO make.
    """
    sft = spec.sft
    on_gpu = spec.placement.trainer_gpus > 0
    available = gpu_bytes(machine) if on_gpu else machine.memory_bytes // sft.processes
    mixed = sft.dtype == "bfloat16" or (sft.dtype == "auto" and on_gpu)
    each = 0.5 if sft.qlora else 2 if mixed else 4
    trained = shape.adapter_parameters(sft.lora.r, sft.lora.target_modules)
    parts = [
        FitPart(
            name="weights",
            bytes=int(shape.parameters * each),
            how=f"{shape.parameters / 1e6:,.1f}M x {each:g} bytes",
        ),
        FitPart(name="adapter", bytes=trained * 16, how="with gradients and optimizer, 16 bytes a parameter"),
    ]
    total = sum(part.bytes for part in parts)
    candidates = [("sft.qlora", "true", total - parts[0].bytes + shape.parameters // 2)] if on_gpu else []
    return FitNeed(
        stage="sft",
        what="trainer",
        device="gpu" if on_gpu else "cpu",
        copies=sft.processes,
        moment="all of training, at least",
        parts=parts,
        bytes=total,
        available_bytes=available,
        verdict=verdict_of(total, None if shape.no_formula else available),
        changes=changes(candidates, total, available),
        note=_note("activations follow the length of the traces, which are not there yet", shape.no_formula),
    )


def served_need(
    role: str, stage: str, serve: ServeSpec, shape: Shape, machine: FitMachine, gpus: int
) -> FitNeed:
    """Return what a served model needs of one GPU, within the share that vLLM may take, or of main memory."""
    on_gpu = gpus > 0
    own = served(shape, serve, on_gpu=on_gpu)
    total = own.bytes
    memory = gpu_bytes(machine) if on_gpu else machine.memory_bytes
    share = (serve.gpu_memory_utilization or DEFAULT_UTILIZATION) if on_gpu else 1.0
    available = None if memory is None else int(memory * share)
    # Exact, unlike the sums: vLLM refuses a context that its cache does not hold.
    flags = " ".join(serve.extra_args).replace("_", "-")
    computed = shape.no_formula is None and not any(name in flags for name in _OTHER_ROOM)
    short = not on_gpu and computed and own.cache_per_token * own.context > own.parts[-1].bytes
    candidates: list[tuple[str, str, int]] = []
    for split in (2, 4, 8):
        if on_gpu and split > serve.tensor_parallel_size and shape.heads % split == 0:
            other = serve.model_copy(update={"tensor_parallel_size": split})
            size = served(shape, other, on_gpu=True).bytes
            # The rules hold the placement to the product, so both change together.
            value = f"{split} and placement.{_PLACED[role]} {split * serve.data_parallel_size}"
            candidates.append((f"{role}.serve.tensor_parallel_size", value, size))
    if on_gpu and own.context > 4096:
        other = serve.model_copy(update={"max_model_len": 4096})
        candidates.insert(0, (f"{role}.serve.max_model_len", "4096", served(shape, other, on_gpu=True).bytes))
    verdict = verdict_of(total, available if computed else None)
    made = changes(candidates, total, available)
    note = _note(f"vLLM may take {share:g} of the GPU" if on_gpu else None, shape.no_formula)
    if short:
        room = own.parts[-1].bytes // own.cache_per_token
        verdict = "too_large"
        needs = gib(own.cache_per_token * own.context)
        has = gib(own.parts[-1].bytes)
        note = f"one sequence of {own.context} tokens needs {needs} of cache, a CPU server has {has}"
        made = [
            FitChange(field=f"{role}.serve.max_model_len", value=str(room), bytes=total, fits=True),
            *made,
        ]
    return FitNeed(
        stage=stage,  # pyright: ignore[reportArgumentType]
        what=role,
        device="gpu" if on_gpu else "cpu",
        copies=serve.tensor_parallel_size * serve.data_parallel_size if on_gpu else serve.data_parallel_size,
        moment="while it serves, at least",
        parts=list(own.parts),
        bytes=total,
        available_bytes=available,
        verdict=verdict,
        changes=made,
        note=note,
    )
