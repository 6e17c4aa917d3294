"""Gives what an epoch made the name that readers look under, without ever deleting what is there.

A process may stall between any two of its calls and wake up after a newer epoch has published. So the name
is taken exclusively, and what has it already is moved to quarantine/ and moved back if it may be newer.
"""

from __future__ import annotations

import errno
from pathlib import Path

from gavel_train.contracts import StageRequest
from gavel_train.run.checkpoints import quarantine
from gavel_train.run.directory import (
    Superseded,
    check_not_published,
    create_exclusively,
    fsync_path,
    run_dir_of,
)


def give_public_name(request: StageRequest, made: Path, target: Path) -> Path:
    """Put the finished file or folder `made` at `target`, on the same filesystem; returns `target`.

    Raises Superseded, with everything of a newer epoch in its place, where there is one.
    """
    run_dir = run_dir_of(request)
    stage_dir = run_dir / request.stage
    check_not_published(stage_dir, request.epoch)
    if target.exists():
        reason = f"epoch {request.epoch} of stage {request.stage} publishes in its place"
        moved = quarantine(target, reason, run_dir)
        try:
            # No newer epoch now: what was moved is not of a newer one, since an epoch is taken first.
            check_not_published(stage_dir, request.epoch)
        except Superseded:
            if moved is not None:
                _move_back(moved, target)
            raise
    try:
        _take(made, target)
    except FileExistsError:
        raise Superseded(f"{target}: published by another epoch of stage {request.stage} meanwhile") from None
    fsync_path(target.parent)
    return target


def _take(made: Path, target: Path) -> None:
    """Raise FileExistsError where the name is taken; a folder cannot be renamed onto one that holds files."""
    if not made.is_dir():
        create_exclusively(made, target)
        return
    try:
        made.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise FileExistsError(error.errno, "the name is taken", str(target)) from None
        raise


def _move_back(moved: Path, target: Path) -> None:
    try:
        _take(moved, target)
    except FileExistsError:
        # A still newer epoch has published in between: this stays in quarantine.
        return
    if moved.is_file():
        moved.unlink()
    moved.with_name(f"{moved.name}.reason.json").unlink(missing_ok=True)
    fsync_path(target.parent)
