"""The predicted time of a spec's GRPO step, where the rates of its machine are known."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from gavel_train.contracts import FitPhase, FitRequest, FitStepTime, ServeSpec, Spec
from gavel_train.fit import machines
from gavel_train.fit.machines import Engines
from gavel_train.fit.roofline import Work
from gavel_train.fit.shape import Shape, UnknownShape
from gavel_train.fit.step_time import Queue, rollout_s, served_queue, step_time, update_s
from gavel_train.fit.step_work import Texts, cached_rollout, served_rollout
from gavel_train.fit.training import Training
from gavel_train.judging.pairs import pairs_of_group

# vLLM's default blocks of keys and values on GPUs, and on the CPU.
_GPU_BLOCK, _CPU_BLOCK = 16, 128
# Assumed of a rubric: 2,300 characters in one mode, computed in each call. A rubric whose constant text
# comes first costs less, since the prefix cache of its judge holds that text.
_RUBRIC_TOKENS = 576


class UnknownTime(Exception):
    """The time of a step cannot be predicted; the message says why."""


def step_estimate(
    spec: Spec, request: FitRequest, training: Training | None, judge: Shape | UnknownShape | None
) -> FitStepTime:
    """Predict the time of a step; what cannot be predicted says why in `note` and raises nothing."""
    try:
        if training is None:
            raise UnknownTime("the sizes of the policy cannot be read")
        return _estimate(spec, request, training, judge)
    except UnknownTime as why:
        return FitStepTime(seconds=None, phases=[], note=str(why))


def _estimate(
    spec: Spec, request: FitRequest, training: Training, judge: Shape | UnknownShape | None
) -> FitStepTime:
    grpo = spec.grpo
    engines = _engines(spec, request)
    if isinstance(judge, UnknownShape):
        raise UnknownTime(f"the sizes of the judge cannot be read: {judge}")
    for shape in (training.shape, judge):
        if shape is not None and shape.no_formula:
            raise UnknownTime(shape.no_formula)
    on_gpu = training.on_gpu or request.gpu_name is not None
    each = 2 if training.mixed else 4
    adapter = training.trained if training.lora is not None else 0
    longest = grpo.max_completion_tokens
    tokens = min(request.completion_tokens or longest, longest)
    rows = grpo.prompts_per_step * grpo.num_generations
    share = Texts(ceil(rows / grpo.num_generations), rows, training.prompt_tokens, tokens, longest)
    if grpo.rollout == "served":
        servers = spec.policy.serve.data_parallel_size
        work = _of_server(
            training.shape,
            _shared(share, servers),
            spec.policy.serve,
            on_gpu=on_gpu,
            bytes_each=each,
            adapter=adapter,
        )
        sampling = rollout_s(work, engines.vllm)
        how = f"{rows} completions of {tokens} tokens, the longest {longest}, on {servers} servers"
    else:
        work = cached_rollout(training.shape, _shared(share, training.ranks), each, adapter=adapter)
        sampling = rollout_s(work, engines.cached)
        how = f"{rows} completions of {tokens} tokens, the longest {longest}, in the trainer"
    queue, asked = _judge(spec, request, judge, share, engines, on_gpu=on_gpu)
    time = step_time(
        rollout=sampling,
        update=update_s(training, engines.trainer),
        queue=queue,
        rows=rows,
        texts=share,
        max_staleness=grpo.max_staleness,
    )
    passes = f"{training.rows} completions a rank, padded to {training.prompt_tokens + longest} tokens"
    overlap = "rollout and judge beside the update" if grpo.max_staleness else "one after the other"
    return FitStepTime(
        seconds=round(time.step_s, 3),
        phases=[
            FitPhase(name="rollout", seconds=round(time.rollout_s, 3), how=how),
            FitPhase(name="judge, after the rollout", seconds=round(time.judge_s, 3), how=asked),
            FitPhase(name="update", seconds=round(time.update_s, 3), how=passes),
        ],
        note=f"grpo.max_staleness {grpo.max_staleness}: {overlap}. {engines.source}",
    )


def _engines(spec: Spec, request: FitRequest) -> Engines:
    if spec.grpo.rollout not in ("cached", "served"):
        raise UnknownTime(f"grpo.rollout {spec.grpo.rollout} is not modelled")
    if spec.placement.trainer_gpus > 0 or request.gpu_name is not None:
        found = machines.of_gpu(request.gpu_name or "")
        if found is None:
            raise UnknownTime(f"no rates of {request.gpu_name or 'the GPUs'} are known; --gpu H100 names one")
        return found
    if spec.grpo.dtype != "float32":
        raise UnknownTime("on the CPU only float32 was measured")
    found = machines.of_cpu()
    if found is None:
        raise UnknownTime(
            f"no rates of {machines.processor()} are known; `npm run bench -- --only plan` measures them"
        )
    return found


def _shared(texts: Texts, devices: int) -> Texts:
    """Return one device's share of the texts."""
    return replace(texts, prompts=ceil(texts.prompts / devices), rows=ceil(texts.rows / devices))


def _of_server(
    shape: Shape, texts: Texts, serve: ServeSpec, *, on_gpu: bool, bytes_each: int, adapter: int = 0
) -> list[Work]:
    """Return the work of each GPU of a server, or of the one core of a CPU server."""
    whole = served_rollout(
        shape,
        texts,
        bytes_each,
        adapter=adapter,
        block=_GPU_BLOCK if on_gpu else _CPU_BLOCK,
        gathers_adapters=not on_gpu,
    )
    # Tensor parallelism shares out arithmetic and memory, and every GPU launches every kernel.
    split = serve.tensor_parallel_size
    return [replace(work, flops=work.flops / split, bytes=work.bytes / split) for work in whole]


def _judge(
    spec: Spec,
    request: FitRequest,
    judge: Shape | None,
    texts: Texts,
    engines: Engines,
    *,
    on_gpu: bool,
) -> tuple[Queue, str]:
    """Return the judge's queue, and how its service time is made."""
    if judge is None:
        return Queue(texts.rows, 0.0), "not served by gavel: its time is not in the sum"
    serve, panel = spec.judge.serve, spec.judge.panel
    # A label, as a digit, is one token where gavel serves the judge well.
    longest = spec.judge.sampling.max_tokens if spec.judge.mode == "reasoned" else 1
    reply = min(request.reply_tokens or longest, longest)
    completions, calls = 1, texts.rows * panel.votes
    if spec.judge.mode == "pairwise":
        # Each pair of a group is asked about in both orders.
        completions, calls = 2, calls * pairs_of_group(spec.grpo).opponents
    slots, servers = spec.judge.concurrency, serve.data_parallel_size
    one = Texts(1, 1, texts.prompt_tokens + completions * int(texts.tokens) + _RUBRIC_TOKENS, reply, reply)
    # Fewer calls at once than there are make several batches, one after the other.
    passes = reply * max(1, ceil(calls / slots))
    all_of_them = _shared(replace(one, prompts=calls, rows=calls, longest=passes), servers)
    work, alone = (
        _of_server(judge, of, serve, on_gpu=on_gpu, bytes_each=4 if serve.dtype == "float32" else 2)
        for of in (all_of_them, one)
    )
    how = f"{calls} replies of {reply} tokens, {slots} at once at most, on {servers} servers"
    return served_queue(calls, work, alone, engines.vllm, slots=slots), how
