"""The GPUs that a worker gave this process: which one is this rank's own, and whether torch can use them.

CUDA_VISIBLE_DEVICES lists the leased GPUs; an empty value means the CPU. Where torch sees no GPU it
computes on the CPU without a word, a hundred times slower than the lease was for.
"""

from __future__ import annotations

import os

_REASON_CHARS = 160


def local_rank() -> int:
    """Return this process's place among those of its machine, and so the index of its own GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def given_gpus() -> list[str]:
    """Return the ids of the GPUs that this process was given; empty on the CPU.

    GPUs that GAVEL_GPUS names need not exist: tests of placement lease them and compute on the CPU.
    """
    if os.environ.get("GAVEL_GPUS"):
        return []
    return [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]


def refuse_unseen_gpus() -> None:
    """Raise BadRequest where torch cannot use as many GPUs as this process was given.

    A stage that fails so is tried on another node once.
    """
    given = given_gpus()
    if not given:
        return
    # The model server reads this module too, and each of its engines: it should not wait for torch twice.
    import torch

    from gavel_train.run.outcome import BadRequest

    seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if seen >= len(given):
        return
    raise BadRequest(
        "placement.trainer_gpus",
        f"Expected torch to see the {len(given)} GPUs that this process was given "
        f"(CUDA_VISIBLE_DEVICES={','.join(given)}), found {seen}: {_why_unseen()} "
        "`gavel doctor` on this node says what fits; placement.trainer_gpus: 0 trains on the CPU.",
    )


def _why_unseen() -> str:
    import torch

    if torch.version.cuda is None:
        return (
            f"torch {torch.__version__} is built without CUDA. Run `npm run setup` on a machine with a GPU."
        )
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        said = " ".join(str(error).split())[:_REASON_CHARS]
        return (
            f"torch {torch.__version__} is built for CUDA {torch.version.cuda}, and says: {said}. "
            "Update the driver, or check that it works with `nvidia-smi`."
        )
    return "the others do not answer, or have other ids. Compare with `nvidia-smi -L`."
