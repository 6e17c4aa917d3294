"""Trackers that get the figures of each step besides gavel's own report: tensorboard, trackio, wandb.

TRL's callbacks write to them. Here each gets a folder of the attempt's own, and nothing leaves the machine:
wandb records offline, and `wandb sync` sends it later from where its key is. No key of a tracker reaches a
trainer.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from gavel_train.contracts import GrpoSpec
from gavel_train.run.outcome import BadRequest


def prepare_trackers(grpo: GrpoSpec, folder: Path) -> None:
    """Have the trackers of a spec write under `folder`; raises BadRequest where one is not installed.

    Comes before the trainer is imported, because the trackers read these variables when they are imported.
    """
    for name in grpo.report_to:
        if not _is_installed(name):
            raise BadRequest(
                "grpo.report_to",
                f"Expected the packages of grpo.report_to to be installed, found no {name}; run "
                f"`{sys.executable} -m pip install {name}`, or remove {name} from the list",
            )
        (folder / name).mkdir(parents=True, exist_ok=True)
        os.environ.update(_settings(name, str(folder / name)))


def close_trackers(trainer: Any) -> None:
    """Write out what trackers hold in memory; TRL does so after the last step, which may never come."""
    for callback in trainer.callback_handler.callbacks:
        match type(callback).__name__:
            case "TensorBoardCallback" if callback.tb_writer is not None:
                callback.tb_writer.close()
            case "TrackioCallback" if callback._trackio.context_vars.current_run.get() is not None:
                callback._trackio.finish()
            case "WandbCallback" if callback._wandb.run is not None:
                callback._wandb.finish()


def _settings(name: str, folder: str) -> dict[str, str]:
    match name:
        case "tensorboard":
            return {"TENSORBOARD_LOGGING_DIR": folder}
        case "trackio":
            return {"TRACKIO_DIR": folder}
        case _:
            return {
                "WANDB_DIR": folder,
                "WANDB_MODE": "offline",
                "WANDB_ERROR_REPORTING": "false",
                # The trainer's log and the state of a repository are no figures of the training.
                "WANDB_CONSOLE": "off",
                "WANDB_DISABLE_CODE": "true",
                "WANDB_DISABLE_GIT": "true",
            }


def _is_installed(name: str) -> bool:
    # Not whether it can be imported: a folder of that name where the trainer runs can.
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
