"""What the ranks of a trainer share out, by the flags of accelerate launch."""

from __future__ import annotations

from collections.abc import Sequence

from gavel_train.fit.training import Sharing


def sharing_of(accelerate_args: Sequence[str]) -> Sharing:
    """Return what `grpo.accelerate_args` share out; DistributedDataParallel, the default, copies all."""
    flags = _flags(accelerate_args)
    offloaded = flags.get("offload-optimizer-device", "none") != "none"
    if "use-fsdp" in flags:
        # By number or by name: 1 FULL_SHARD, 2 SHARD_GRAD_OP, 3 NO_SHARD.
        strategy = flags.get("fsdp-sharding-strategy", "FULL_SHARD").upper()
        if strategy in ("3", "NO_SHARD"):
            return Sharing()
        offloaded = flags.get("fsdp-offload-params", "false").lower() == "true"
        whole_weights = (
            strategy in ("2", "SHARD_GRAD_OP") or flags.get("fsdp-reshard-after-forward") == "false"
        )
        return Sharing(not whole_weights, gradients=True, optimizer=True, offloaded=offloaded)
    if "use-deepspeed" in flags:
        stage = int(flags.get("zero-stage", "2"))
        return Sharing(weights=stage >= 3, gradients=stage >= 2, optimizer=stage >= 1, offloaded=offloaded)
    return Sharing()


def is_shared_out(accelerate_args: Sequence[str]) -> bool:
    """Return whether FSDP or DeepSpeed is asked for."""
    return not _flags(accelerate_args).keys().isdisjoint(("use-fsdp", "use-deepspeed"))


def _flags(args: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for arg in args:
        if arg.startswith("--"):
            name, _, value = arg.removeprefix("--").partition("=")
            name = name.replace("_", "-")
            found[name] = value
        elif name:
            found[name] = arg
    return found
