"""What the ranks of a trainer share out, by `grpo.sharding` and the flags that outrank its configuration."""

from __future__ import annotations

from collections.abc import Sequence

from gavel_train.fit.training import Sharing


def sharing_of(sharding: str, accelerate_args: Sequence[str] = ()) -> Sharing:
    """Return what ranks with this `grpo.sharding` and these flags of accelerate launch share out."""
    flags = _flags(accelerate_args)
    if sharding == "fsdp2":
        # Weights that are gathered once a step are whole in each rank.
        gathered = flags.get("fsdp-reshard-after-forward", "true").lower() == "false"
        offloaded = flags.get("fsdp-offload-params", "false").lower() == "true"
        return Sharing(not gathered, gradients=True, optimizer=True, offloaded=offloaded)
    if sharding in ("zero2", "zero3"):
        offloaded = flags.get("offload-optimizer-device", "none") != "none"
        return Sharing(weights=sharding == "zero3", gradients=True, optimizer=True, offloaded=offloaded)
    return Sharing()


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
