"""What is learned where the judge's distribution is the target."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from sft_run import SETTINGS, request, train, weights
from tiny_run import ledger_of, make_model, make_root, render, resolved_spec, sums, tokenizer
from transformers import AutoModelForCausalLM

from gavel_train.contracts import RenderedMessages, Spec
from gavel_train.grader.examples import Example, examples_of
from gavel_train.grader.lessons import distil
from gavel_train.grader.soft_targets import SoftTarget, candidates_of, soft_targets
from gavel_train.grader.trainer import IGNORED, GraderTrainer, WeightedCollator, dataset_of, encode

pytest_plugins = "sft_fixtures"

# What the judge says of every completion that it scores 9, and of every one that it scores 0.
RIGHT = [0.25, 0, 0, 0, 0, 0, 0.1, 0, 0, 0.65]
WRONG = [0.6, 0, 0, 0.4, 0, 0, 0, 0, 0, 0]


def with_distributions(lines: list[dict]) -> list[dict]:
    shares = {9: RIGHT, 0: WRONG}
    return [
        line | {"distribution": shares[line["score"]], "confidence": max(shares[line["score"]])}
        for line in lines
    ]


def examples(root, render=render, **sft):
    spec = Spec.model_validate(resolved_spec(sft={"targets": "distribution"} | sft))
    run_dir = root / "runs/tiny"
    return examples_of(distil(run_dir, ledger_of(run_dir), render, spec), spec.sft)


def target_of(row, words) -> dict[str, float]:
    """The shares of a row's one soft position, which must be that of its score."""
    (position,) = {one.position for one in row.soft}
    assert words.decode([row.labels[position]]) in "0123456789"
    return {words.decode([one.token]): one.share for one in row.soft}


def test_a_mode_whose_reply_is_a_digit_is_taught_the_ten_digits_at_the_place_of_its_answer(tmp_path):
    root, words = make_root(tmp_path, with_distributions(sums(24, 3))), tokenizer()
    found = examples(root, modes=["single_token"])
    assert found.distributions == found.traces == 72
    for example in found.train + found.holdout:
        row = encode(words, example, {})
        expected = RIGHT if example.score == 9 else WRONG
        assert target_of(row, words) == pytest.approx({str(n): q for n, q in enumerate(expected) if q > 0})
        # The label is still the score, which accuracy is measured against.
        assert words.decode([row.labels[row.soft[0].position]]) == str(example.score)


def test_a_reasoned_reply_is_taught_as_it_is_but_for_the_distribution_at_its_score(tmp_path):
    root, words = make_root(tmp_path, with_distributions(sums(24, 3))), tokenizer()
    example = next(e for e in examples(root, modes=["reasoned"]).train if e.score == 9)
    row = encode(words, example, {})
    plain = encode(words, Example("k", "reasoned", example.messages, example.reply, 9), {})
    assert (row.input_ids, row.labels) == (plain.input_ids, plain.labels) and plain.soft == ()
    assert target_of(row, words) == pytest.approx({"0": 0.25, "6": 0.1, "9": 0.65})
    assert words.decode(row.input_ids[: row.soft[0].position]).endswith("I see. Score: ")


def test_a_digit_that_something_follows_and_one_that_stands_elsewhere_in_the_reply_are_told_apart(tmp_path):
    lines = [
        line | {"reply": f"9 or 0? **Score**: {line['score']}/9."} for line in with_distributions(sums(24, 3))
    ]
    root, words = make_root(tmp_path, lines), tokenizer()
    example = next(e for e in examples(root, modes=["reasoned"]).train if e.score == 0)
    row = encode(words, example, {})
    assert target_of(row, words) == pytest.approx({"0": 0.6, "3": 0.4})
    assert words.decode(row.input_ids[row.soft[0].position :]) == "0/9.<|end|>"


def labelled(requests):
    """Render as a gateway does whose rubric has the labels no, so-so (score 6) and yes."""

    def reply(score):
        return None if score is None else "yes" if score > 7 else "so-so" if score > 4 else "no"

    answers = render([asked.model_copy(update={"mode": "single_token"}) for asked in requests])
    return [
        one.model_copy(update={"reply": reply(asked.score)})
        for asked, one in zip(requests, answers, strict=True)
    ]


def test_the_probability_of_a_label_is_that_of_all_scores_that_it_answers(tmp_path):
    root, words = make_root(tmp_path, with_distributions(sums(24, 3))), tokenizer()
    found = examples(root, labelled, modes=["choice"]).train
    for score, expected in ((9, {"n": 0.25, "s": 0.1, "y": 0.65}), (0, None)):
        row = encode(words, next(e for e in found if e.score == score), {})
        shares = {words.decode([one.token]): one.share for one in row.soft}
        # What the judge gives to 0 and to 3 is one label: nothing is left to choose.
        assert shares == (pytest.approx(expected) if expected else {})


def test_labels_that_begin_alike_are_told_apart_where_they_differ_given_what_came_before():
    # Tokens of three labels and their end, 1.
    labels = [([5, 6, 1], 0.5), ([5, 7, 1], 0.3), ([8, 1], 0.2)]
    assert soft_targets([5, 6, 1], labels, first=10) == [
        SoftTarget(10, 5, pytest.approx(0.8)),
        SoftTarget(10, 8, pytest.approx(0.2)),
        SoftTarget(11, 6, pytest.approx(0.625)),
        SoftTarget(11, 7, pytest.approx(0.375)),
    ]
    assert candidates_of(["a", "b", "a"], [0.2, 0, 0.8]) == [("a", 1.0)]


def test_a_trace_without_a_distribution_is_taught_by_its_score_and_is_not_counted(tmp_path):
    lines = sums(24, 3)
    root, words = make_root(tmp_path, with_distributions(lines[:30]) + lines[30:]), tokenizer()
    found = examples(root)
    assert (found.traces, found.distributions) == (72, 30)
    rows = [encode(words, example, {}) for example in found.train + found.holdout]
    assert sum(bool(row.soft) for row in rows) == 2 * 30


def test_by_default_nothing_but_the_score_is_taught_and_the_gateway_is_asked_nothing_more(tmp_path):
    asked = []

    def asking(requests) -> list[RenderedMessages]:
        asked.extend(requests)
        return list(render(requests))

    root = make_root(tmp_path, with_distributions(sums(24, 3)))
    found = examples(root, asking, targets="score")
    assert not any(example.candidates() for example in found.train + found.holdout)
    # The single-token question of each trace, and how a reasoned answer begins.
    assert len(asked) == 73
    asked.clear()
    examples(root, asking)
    assert len(asked) == 73 + 10


def a_batch() -> dict:
    """Two rows: one digit with soft targets after a longer question, and a reply without any."""
    words = tokenizer()
    soft = Example("a", "single_token", [{"role": "user", "content": "longer"}], "9", 9, 2.0)
    soft = replace(soft, distribution=RIGHT, answers=list("0123456789"))
    hard = Example("b", "reasoned", [{"role": "user", "content": "x"}], "no 3", 3, 1.0)
    rows = [encode(words, example, {}) for example in (soft, hard)]
    return WeightedCollator(pad_token_id=0)([dict(row) for row in dataset_of(rows)])


class Answering(torch.nn.Module):
    """A model whose logits are its only parameters."""

    def __init__(self, batch: dict, vocabulary: int = 112) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.logits = torch.nn.Parameter(torch.randn(*batch["labels"].shape, vocabulary, dtype=torch.float64))

    def forward(self, input_ids, attention_mask, use_cache, logits_to_keep):
        return SimpleNamespace(logits=self.logits[:, -logits_to_keep:])


def trainer_of(model) -> GraderTrainer:
    trainer = object.__new__(GraderTrainer)
    trainer.model = model
    trainer.args = SimpleNamespace(train_batch_size=2, gradient_accumulation_steps=1)
    trainer._note_accuracy = lambda *_: None
    return trainer


def test_the_loss_is_the_cross_entropy_to_the_judges_probabilities_over_the_whole_vocabulary():
    batch, words = a_batch(), tokenizer()
    model = Answering(batch)
    loss = trainer_of(model).compute_loss(model, dict(batch))
    logs = model.logits.detach().float().log_softmax(-1)
    labels = batch["labels"]
    places = [(labels[row] != IGNORED).nonzero().flatten().tolist() for row in (0, 1)]

    def at(row: int, place: int, text: str) -> float:
        return -float(logs[row, place - 1, words.convert_tokens_to_ids(text)])

    answer, end = places[0]
    digit = 0.25 * at(0, answer, "0") + 0.1 * at(0, answer, "6") + 0.65 * at(0, answer, "9")
    soft = (digit + at(0, end, "<|end|>")) / 2
    hard = sum(-float(logs[1, place - 1, labels[1, place]]) for place in places[1]) / 5
    assert len(places[1]) == 5
    assert loss.item() == pytest.approx((2 * soft + hard) / 2, rel=1e-5)


def test_the_gradient_is_that_of_the_kl_divergence_to_the_judges_probabilities():
    batch, words = a_batch(), tokenizer()
    model = Answering(batch)
    trainer_of(model).compute_loss(model, dict(batch)).backward()
    answer = int((batch["labels"][0] != IGNORED).nonzero()[0])
    wanted = torch.zeros(112)
    for text, share in (("0", 0.25), ("6", 0.1), ("9", 0.65)):
        wanted[words.convert_tokens_to_ids(text)] = share
    logits = model.logits.detach()[0, answer - 1].float().requires_grad_()
    kl = torch.nn.functional.kl_div(logits.log_softmax(-1), wanted, reduction="sum")
    # Weight 2, mean over the two tokens of the reply, mean over the two rows of the step.
    (2 * kl / 2 / 2).backward()
    assert logits.grad is not None and model.logits.grad is not None
    torch.testing.assert_close(model.logits.grad[0, answer - 1].float(), logits.grad, rtol=1e-4, atol=1e-7)
    assert logits.grad.abs().max() > 0


def learned(folder, batch: dict) -> torch.Tensor:
    """The probabilities at the answer of a batch's first row, of a tiny model that was trained on it."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    trainer, optimizer = trainer_of(model), torch.optim.AdamW(model.parameters(), lr=1e-2)
    model.train()
    for _ in range(40):
        optimizer.zero_grad()
        trainer.compute_loss(model, dict(batch)).backward()
        optimizer.step()
    answer = int((batch["labels"][0] != IGNORED).nonzero()[0])
    with torch.no_grad():
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return logits[0, answer - 1].softmax(-1)[tokenizer().convert_tokens_to_ids(list("0123456789"))]


def test_a_grader_learns_the_judges_doubt_where_one_that_is_taught_scores_learns_none(
    stage_is_ready, tmp_path
):
    folder, batch = make_model(tmp_path / "model"), a_batch()
    assert learned(folder, batch).tolist() == pytest.approx(RIGHT, abs=0.05)
    scores = {name: value for name, value in batch.items() if not name.startswith("soft")}
    assert learned(folder, scores)[9] > 0.9


def test_a_run_that_is_taught_distributions_resumes_to_the_same_bytes_and_says_how_many_there_were(
    stage_is_ready, tmp_path
):
    sft, lines = SETTINGS | {"targets": "distribution"}, with_distributions(sums(24, 3))
    calm, root = (make_root(tmp_path / name, lines) for name in ("calm", "stormy"))
    train(request(calm, 1, sft=sft))
    train(request(root, 1, sft=sft), die_after="step-000008.e1")
    committed = root / "runs/tiny/sft/checkpoints/step-000008.e1"
    # What was kept suffices: no gateway is needed.
    said = train(request(root, 2, resume_from=committed, gateway_url=None, sft=sft))
    assert "resumed" in {event for event, _ in said}
    assert weights(root / "runs/tiny/grader") == weights(calm / "runs/tiny/grader")
    result = json.loads((root / "runs/tiny/sft/result.json").read_text())
    assert result["metrics"]["distributions"] == 72
    assert math.isfinite(result["metrics"]["holdout_loss_single_token"])
    card = (root / "runs/tiny/grader/README.md").read_text()
    assert "| targets | the judge's distribution in 72 traces, its score in the others |" in card
    assert "0 that the verifier contradicts |" in card and "| verifier | no word on any of them |" in card
