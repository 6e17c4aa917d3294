"""The rubric: what is graded, and the messages that ask for it.

The gateway renders the same templates for every call; here they are rendered to make training examples.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from gavel_train.contracts import MessageTemplate, Rubric
from gavel_train.run.outcome import BadRequest

FIELD = "judge.rubric"
# As the gateway has it, so that both render the same bytes.
_PLACEHOLDER = re.compile(r"\{\{\s*([\w-]+)\s*\}\}", re.ASCII)


def load_rubric(path: Path) -> Rubric:
    """Read a YAML rubric; raises BadRequest naming the file and the field."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadRequest(FIELD, f"Expected a rubric file at {path}, found none.") from None
    except yaml.YAMLError as error:
        raise BadRequest(FIELD, f"{path}: expected YAML, got: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise BadRequest(FIELD, f"{path}: expected a mapping, got {type(content).__name__}.")
    try:
        rubric = Rubric.model_validate(_with_defaults(content))
    except ValidationError as error:
        first = error.errors()[0]
        raise BadRequest(FIELD, f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    used = {name for message in _all_messages(rubric) for name in _PLACEHOLDER.findall(message.content)}
    unknown = used - {"prompt", "completion", "frame", "scores", "ground_truth"}
    if unknown:
        raise BadRequest(
            FIELD, f"{path}: expected a known name in {{{{ }}}}, got {', '.join(sorted(unknown))}."
        )
    if "ground_truth" in used and not rubric.reference_guided:
        raise BadRequest(FIELD, f"{path}: uses {{{{ground_truth}}}}, so reference_guided must be true.")
    return rubric


def _all_messages(rubric: Rubric) -> list[MessageTemplate]:
    return [*rubric.modes.reasoned.messages, *rubric.modes.single_token.messages]


def _with_defaults(content: dict[str, Any]) -> dict[str, Any]:
    """Fill what the contract lets a person leave out; YAML reads unquoted score keys as numbers."""
    scores = content.get("scores")
    if isinstance(scores, dict):
        content = content | {"scores": {str(score): meaning for score, meaning in scores.items()}}
    return {"description": "", "reference_guided": False} | content


def render(
    rubric: Rubric, mode: str, prompt: str, completion: str, ground_truth: str | None = None
) -> list[dict[str, str]]:
    """Chat messages that ask for a grade in a mode ("reasoned" or "single_token").

    Values are put in by one pass of plain replacement: a completion that contains "{{prompt}}" stays as it
    is.
    """
    template = rubric.modes.reasoned if mode == "reasoned" else rubric.modes.single_token
    mark = hashlib.sha256(completion.encode()).hexdigest()[:16]
    values = {
        "prompt": prompt,
        "completion": completion if rubric.frame == "none" else f"[begin {mark}]\n{completion}\n[end {mark}]",
        "frame": mark,
        "scores": "\n".join(f"{score}: {rubric.scores[score]}" for score in sorted(rubric.scores)),
        "ground_truth": ground_truth or "",
    }
    return [
        {
            "role": message.role,
            "content": _PLACEHOLDER.sub(lambda match: values[match[1]], message.content),
        }
        for message in template.messages
    ]
