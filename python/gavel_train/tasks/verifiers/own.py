"""Own verifiers: `params.verifier: "package.module:function"`.

The function is called as `function(completion, row)`, where `row` is a dict with `id`, `prompt`,
`ground_truth` and `meta` (the other fields of the row), and returns True, False or a number from 0 to 1. It
is asked about rows with a ground truth. It has to be quick, and may be called from any thread.

Its module is taken from the folders that PYTHONPATH names in the worker's environment, and from nowhere
else: a spec chooses among what the worker's owner put there, and can name neither the standard library
(`os:system` would be handed the text of a model) nor an installed package, nor a file of a run.
"""

from __future__ import annotations

import importlib
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from gavel_train.contracts import PromptRow
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks.verifiers.verifier import Checked

_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_FIELD = "task.params.verifier"
# gavel's own Python stands in PYTHONPATH too.
_OURS = Path(__file__).parents[3]


def is_own(name: str) -> bool:
    """Whether the name of a verifier is an import path."""
    return ":" in name


@dataclass(frozen=True)
class Own:
    """Asks a function; `name` is its import path."""

    name: str
    function: Callable[[str, dict[str, Any]], Any]

    def check(self, completion: str, row: PromptRow) -> Checked:
        """Return what the function says; raises BadRequest naming it and the row where that is of no use."""
        try:
            given = self.function(
                completion, row.model_dump(include={"id", "prompt", "ground_truth", "meta"})
            )
        except Exception as error:
            # Without the error's words, which may quote a completion: they stand in the process's log.
            print(f"verifier {self.name}, row {row.id}: {type(error).__name__}: {error}", file=sys.stderr)
            raise BadRequest(
                _FIELD,
                f"{self.name} raised {type(error).__name__} on row {row.id}. Expected True, False or a "
                "number from 0 to 1 for any text; the log of the process has the message.",
            ) from error
        return Checked(self._value(given, row), None)

    def refuse(self, truth: str, fields: Mapping[str, Any]) -> str | None:
        """Refuse nothing: what a truth means is the function's affair."""
        return None

    def right_answer(self, truth: str) -> str:
        """Return the truth itself."""
        return truth

    def _value(self, given: Any, row: PromptRow) -> float:
        # numpy's numbers are no int or float.
        value = given.item() if hasattr(given, "item") and not isinstance(given, str) else given
        if isinstance(value, bool | int | float) and math.isfinite(value) and 0 <= value <= 1:
            return float(value)
        kind = f"{value!r}" if isinstance(value, bool | int | float) else type(given).__name__
        raise BadRequest(
            _FIELD,
            f"{self.name} returned {kind} for row {row.id}; expected True, False or a number from 0 to 1",
        )


def own_verifier(name: str) -> Own:
    """Import a function; raises ValueError saying what is missing and where it was looked for."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"Expected param 'verifier' to be package.module:function, got {name!r}")
    module_name, _, attribute = name.partition(":")
    top = module_name.partition(".")[0]
    folders = _folders()
    found = PathFinder.find_spec(top, folders)
    if found is None:
        where = ", ".join(folders) or "PYTHONPATH, which names no folder"
        raise ValueError(
            f"Expected param 'verifier' to name a module of the worker's PYTHONPATH, got {name!r}: no module "
            f"{top!r} in {where}. Installed packages and the standard library do not count"
        )
    loaded = sys.modules.get(top)
    if loaded is not None and _place(loaded) not in (found.origin, *(found.submodule_search_locations or ())):
        raise ValueError(
            f"Expected param 'verifier' to name a module of its own, got {name!r}: a module {top!r} is "
            "loaded from elsewhere; give yours another name"
        )
    function = getattr(_import(module_name, folders, name), attribute, None)
    if not callable(function):
        what = "nothing of that name" if function is None else type(function).__name__
        raise ValueError(f"Expected param 'verifier' to name a function, got {name!r}: {what}")
    home = str(getattr(function, "__module__", None))
    if home.partition(".")[0] != top:
        raise ValueError(
            f"Expected param 'verifier' to name a function that {top} defines, got {name!r}, which is of "
            f"{home}"
        )
    return Own(name, function)


def _import(module_name: str, folders: list[str], name: str) -> ModuleType:
    try:
        with _searched_first(folders):
            return importlib.import_module(module_name)
    except Exception as error:
        print(f"verifier {name}: {type(error).__name__}: {error}", file=sys.stderr)
        raise ValueError(
            f"Expected param 'verifier' to name a module that can be imported, got {name!r}: "
            f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        ) from error


def _folders() -> list[str]:
    named = [Path(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    return [str(folder) for folder in named if folder.resolve() != _OURS]


def _place(module: ModuleType) -> str | None:
    paths = list(getattr(module, "__path__", []))
    return paths[0] if paths else getattr(module, "__file__", None)


@contextmanager
def _searched_first(folders: list[str]) -> Iterator[None]:
    """Put folders before the current one, which Python searches first and which is the root of the runs."""
    before = list(sys.path)
    sys.path[:] = [*folders, *before]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before
