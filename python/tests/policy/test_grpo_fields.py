"""Fields of the section grpo, in runs from the first step to the graded audit rows."""

import hashlib
import json
import statistics
import string
from itertools import groupby
from types import SimpleNamespace

import pytest
from grpo_run import LORA, asked_of, checkpoints, head, rollouts, start, until, weights
from tiny_run import TEMPLATE

pytestmark = pytest.mark.usefixtures("imported_once")


def run(root, gateway, **grpo) -> list[dict]:
    """Train to the end; return the rollouts of all steps."""
    stage = start(root, 1, gateway, **grpo)
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]
    return rollouts(root, f"step-{grpo['steps']:06d}.e1")


def unscored_now_and_then(request: dict) -> int | None:
    number = int(hashlib.sha256(request["completion"].encode()).hexdigest(), 16)
    return None if number % 3 == 0 else number // 3 % 10


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


def test_a_leave_one_out_advantage_is_the_reward_minus_the_mean_of_the_other_scored_ones(root, gateways):
    gateway = gateways(root / "runs/tiny")
    gateway.score = unscored_now_and_then
    fields = {"advantage": "leave_one_out", "scale_rewards": "none", "verifier_weight": 0}
    records = run(root, gateway, steps=2, save_every=2, **fields)
    assert any(record["reward"] is None for record in records)
    seen = set()
    for _, group in groupby(records, key=lambda record: (record["step"], record["group"])):
        members = list(group)
        for one in members:
            others = [x["reward"] for x in members if x is not one and x["reward"] is not None]
            known = one["reward"] is not None and others
            expected = one["reward"] - sum(others) / len(others) if known else 0
            assert one["advantage"] == pytest.approx(expected, abs=1e-6)
            # Logged as the desk made it, not scaled.
            assert one["reward"] == (None if one["score"] is None else pytest.approx(one["score"] / 9))
            seen.add(len(others))
    assert len(seen) > 1


def test_apart_the_judge_has_its_share_of_the_advantages_and_rewards_are_the_mixed_ones(root, gateways):
    gateway = gateways(root / "runs/tiny")
    gateway.score = unscored_now_and_then
    fields = {"normalise": "apart", "verifier_weight": 0.75, "steps": 2, "save_every": 2}
    records = run(root, gateway, **fields)
    # The untrained model is never right: the verifier calls all groups equal.
    assert {record["verifier"] for record in records} == {0.0}
    for _, group in groupby(records, key=lambda record: (record["step"], record["group"])):
        members = list(group)
        values = [one["score"] / 9 for one in members if one["score"] is not None]
        spread = statistics.stdev(values) + 1e-4 if len(values) > 1 else None
        for one in members:
            known = one["score"] is not None and spread is not None
            expected = 0.25 * (one["score"] / 9 - statistics.mean(values)) / spread if known else 0
            assert one["advantage"] == pytest.approx(expected, abs=1e-5)
            assert one["reward"] == (None if one["score"] is None else pytest.approx(0.25 * one["score"] / 9))
    assert any(abs(record["advantage"]) > 0.1 for record in records)


def test_a_resumed_run_goes_on_with_the_rates_of_an_uninterrupted_one(
    root, tmp_path_factory, tiny_model, gateways
):
    from conftest import make_tree

    schedule = {"lr_schedule": "cosine", "warmup_steps": 1, "learning_rate": 1e-2}
    calm = make_tree(tmp_path_factory.mktemp("calm"), tiny_model)
    first = start(calm, 1, gateways(calm / "runs/tiny"), **schedule)
    assert first.wait() == 0, (first.epoch_dir / "stderr").read_text()[-3000:]
    # A rise of one step, then half of 1 + cos of 0, 60 and 120 degrees.
    assert rates(first) == pytest.approx([0, 1e-2, 0.75e-2, 0.25e-2])

    gateway = gateways(root / "runs/tiny")
    gateway.hold = asked_of(step=3)
    stage = start(root, 1, gateway, **schedule)
    until(lambda: any(map(gateway.hold, gateway.asked)), stage)
    stage.kill()
    stage.wait()
    gateway.hold = lambda request: False
    resumed = start(root, 2, gateway, resume_from=head(root), **schedule)
    assert resumed.wait() == 0, (resumed.epoch_dir / "stderr").read_text()[-3000:]
    assert rates(resumed) == rates(first)[2:]
    end = weights(checkpoints(root) / "step-000004.e2")
    assert end == weights(checkpoints(calm) / "step-000004.e1")


@pytest.mark.parametrize("rollout", ["cached", "transformers"])
def test_of_a_conversation_the_policy_gets_the_messages_and_the_judge_the_text(root, gateways, rollout):
    run_dir = root / "runs/tiny"
    for split in ("train", "eval", "audit"):
        path = run_dir / f"data/{split}.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            talk = [{"role": "system", "content": "Count."}, {"role": "user", "content": row["prompt"]}]
            row |= {"messages": talk, "prompt": f"[system]\nCount.\n\n[user]\n{row['prompt']}"}
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    gateway = gateways(run_dir)

    def two_messages_only():
        # The template fails for a prompt that is one message.
        import gavel_train.policy.model as module

        real = module.AutoTokenizer.from_pretrained

        def load(*args, **kwargs):
            words = real(*args, **kwargs)
            words.chat_template = (
                "{% if messages|length != 2 %}{{ raise_exception('no') }}{% endif %}" + TEMPLATE
            )
            return words

        module.AutoTokenizer = SimpleNamespace(from_pretrained=load)

    fields = {"rollout": rollout, "lora": LORA | {"dropout": 0.0}, "steps": 1, "save_every": 1}
    stage = start(root, 1, gateway, before=two_messages_only, **fields)
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]
    assert len(gateway.asked) == 8 + 2 * 4 * 2
    assert all(request["prompt"].startswith("[system]\nCount.\n\n[user]\n") for request in gateway.asked)
    assert len(rollouts(root, "step-000001.e1")) == 8
    assert {row["prompt"] for row in rows_of(root, "audit_rows")} == {row["prompt"] for row in rows}


def rates(stage) -> list[float]:
    """Learning rate of each step that an attempt made."""
    return [line["metrics"]["learning_rate"] for line in stage.lines() if line.get("phase") == "train"]
