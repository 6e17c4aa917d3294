"""Fields of the section grpo, in runs from the first step to the graded audit rows."""

import json
import string

import pytest
from grpo_run import rollouts, start

pytestmark = pytest.mark.usefixtures("imported_once")


def run(root, gateway, **grpo) -> list[dict]:
    """Train to the end; return the rollouts of all steps."""
    stage = start(root, 1, gateway, **grpo)
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]
    return rollouts(root, f"step-{grpo['steps']:06d}.e1")


def rows_of(root, name: str) -> list[dict]:
    result = json.loads((root / "runs/tiny/grpo/result.json").read_text())
    return [json.loads(x) for x in (root / "runs/tiny" / result["artifacts"][name]).read_text().splitlines()]


def test_rollouts_and_checkpoints_are_sampled_with_the_same_filters_and_stop_strings(root, gateways):
    stop = list(string.ascii_letters)
    records = run(root, gateways(root / "runs/tiny"), steps=1, save_every=1, top_k=1, stop=stop)
    for rows in (records, rows_of(root, "audit_rows"), rows_of(root, "eval_rows")):
        texts = [row["completion"] for row in rows]
        assert any(text[-1:] in stop for text in texts)
        assert not any(letter in text[:-1] for text in texts for letter in stop)
        # The likeliest token alone is left, so that a prompt gets one text from one checkpoint.
        places = [(row["prompt_id"], row.get("source"), row.get("checkpoint")) for row in rows]
        assert len(set(zip(places, texts, strict=True))) == len(set(places)) < len(rows)
