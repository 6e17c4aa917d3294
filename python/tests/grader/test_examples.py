import json
from collections import Counter

import pytest
from tiny_run import ledger_of, render, resolved_spec, sums, take_epoch, trace, write_segment

from gavel_train.contracts import RenderedMessages, Spec
from gavel_train.grader.examples import examples_of
from gavel_train.grader.lessons import distil, prompt_hash
from gavel_train.run.outcome import BadRequest

BOTH = ("reasoned", "single_token")


def build(run_dir, render=render, *, panel=None, **sft):
    spec = Spec.model_validate(resolved_spec(judge={"panel": panel or {}}, sft=sft))
    return examples_of(distil(run_dir, ledger_of(run_dir), render, spec), spec.sft)


def run_of(folder, traces):
    write_segment(folder, "grpo-e1-000001.jsonl", traces)
    take_epoch(folder, "grpo", 1)
    return folder


def prompts_of(examples):
    return {example.messages[0]["content"].split("\n")[0] for example in examples}


def test_a_trace_gives_the_judges_conversation_and_the_rubrics_single_token_question(tmp_path):
    found = build(run_of(tmp_path, sums(20, 1)), modes=BOTH, holdout=0.1)
    reasoned, single = found.train[0], found.train[1]
    assert reasoned.messages[0]["content"].endswith("Think.")
    assert reasoned.reply == f"I see. Score: {reasoned.score}"
    assert single.messages[0]["content"] == reasoned.messages[0]["content"].replace("Think.", "Score only.")
    assert single.reply == str(reasoned.score)


def test_what_a_server_returned_as_thinking_is_learned_before_the_reply(tmp_path):
    apart = [
        line | {"thinking": " 1+1 is 2. ", "reply": f"\n\nScore: {line['score']}"} for line in sums(20, 1)
    ]
    # Votes that differ in their thinking alone are different lessons.
    apart += [line | {"key": f"{n:064x}", "thinking": "Right."} for n, line in enumerate(apart)]
    found = build(run_of(tmp_path, apart), modes=BOTH, holdout=0.1)
    assert found.traces == 40
    replies = {example.reply for example in found.train if example.mode == "reasoned"}
    assert replies == {
        f"{thinking}\n\nScore: {score}" for thinking in ("1+1 is 2.", "Right.") for score in (0, 9)
    }
    assert {e.reply for e in found.train if e.mode == "single_token"} == {"0", "9"}


def prefixed(requests):
    begins = {"reasoned": "Well: ", "single_token": "Score: "}
    return [
        RenderedMessages(messages=one.messages, answer_prefix=begins[request.mode], reply=one.reply)
        for request, one in zip(requests, render(requests), strict=True)
    ]


def test_the_gateway_is_asked_for_what_the_judge_was_not_and_once_for_how_an_answer_begins(tmp_path):
    asked = []

    def asking(requests):
        asked.extend(request.mode for request in requests)
        return prefixed(requests)

    lines = sums(20, 1)
    build(run_of(tmp_path / "reasoned", lines), asking, modes=BOTH, holdout=0.1)
    assert Counter(asked) == {"single_token": 20, "reasoned": 1}

    asked.clear()
    build(run_of(tmp_path / "again", lines), asking, modes=["reasoned"], holdout=0.1)
    digits = [line | {"mode": "single_token", "reply": str(line["score"])} for line in lines]
    own = build(run_of(tmp_path / "digits", digits), asking, modes=["single_token"], holdout=0.1)
    # For each of the scores, 0 and 9.
    assert asked == ["reasoned", "single_token", "single_token"]
    assert own.train[0].messages[0]["content"].endswith("Think.")
    assert {example.answer_prefix for example in own.train} == {"Score: "}


def test_the_grader_is_given_the_rubrics_beginning_though_the_judge_could_be_given_none(tmp_path):
    lines = sums(20, 1)
    lines[0] |= {"reply": f"Well: so. Score: {lines[0]['score']}"}
    found = build(run_of(tmp_path, lines), prefixed, modes=BOTH, holdout=0.1)
    begins = {"reasoned": "Well: ", "single_token": "Score: "}
    assert all(example.answer_prefix == begins[example.mode] for example in found.train + found.holdout)
    replies = {example.reply for example in found.train + found.holdout if example.mode == "reasoned"}
    # What the judge wrote by itself is not taught twice.
    assert f"so. Score: {lines[0]['score']}" in replies
    assert not any("Well: " in reply for reply in replies)


def test_a_reply_that_ends_in_another_digit_than_its_score_teaches_the_score_alone(tmp_path):
    lines = sums(20, 1)
    shares = [0.02] * 3 + [0.3] + [0.02] * 3 + [0.52] + [0.02] * 2
    against_the_odds = lines[0] | {"reply": "Score: 3", "score": 7, "distribution": shares}
    as_likely = lines[1] | {"reply": "**Score**: $7$/9.", "score": 7, "distribution": shares}
    run_dir = run_of(tmp_path, [against_the_odds, as_likely, *lines[2:]])
    found = build(run_dir, modes=BOTH, holdout=0.1)
    taught = {(e.mode, e.reply) for e in found.train + found.holdout if e.score == 7}
    assert taught == {("reasoned", "**Score**: $7$/9."), ("single_token", "7")}
    assert len(found.train) + len(found.holdout) == 39


def labelled(requests):
    """Render as a gateway does whose rubric has the labels yes and no."""
    labels = {"choice": {0: "no", 9: "yes"}, "single_token": {0: "0", 9: "9"}}
    return [
        RenderedMessages.model_validate(
            {
                "messages": [{"role": "user", "content": f"{request.mode}: {request.completion}"}],
                "answer_prefix": None,
                "reply": labels.get(request.mode, {}).get(request.score),
            }
        )
        for request in requests
    ]


def test_a_grader_learns_the_label_of_the_judges_score_in_a_mode_that_the_judge_was_not_asked_in(tmp_path):
    modes = ("reasoned", "single_token", "choice")
    found = build(run_of(tmp_path, sums(20, 1)), labelled, modes=modes, holdout=0.1)
    assert Counter(example.mode for example in found.train) == {mode: 18 for mode in modes}
    taught = {(e.score, e.reply) for e in found.train + found.holdout if e.mode == "choice"}
    assert taught == {(0, "no"), (9, "yes")}


def test_a_judge_that_chose_labels_teaches_them_under_its_own_question(tmp_path):
    lines = [line | {"mode": "choice", "reply": " Yes"} for line in sums(20, 1)]
    found = build(run_of(tmp_path, lines), labelled, modes=["choice"], holdout=0.1)
    assert {(e.score, e.reply) for e in found.train + found.holdout} == {(0, "no"), (9, "yes")}
    assert all(example.messages[0]["content"].endswith("Think.") for example in found.train)
    with pytest.raises(BadRequest, match="found only choice ones"):
        build(run_of(tmp_path / "again", lines), labelled, modes=["reasoned", "choice"], holdout=0.1)


def record(lines, verdict, score, number=0):
    return {
        **{"step": 1 + number, "group": 0, "rollout": 0, "prompt_id": "p", "completion": "c"},
        **{"trace_keys": [line["key"] for line in lines], "verdict": verdict, "score": score},
        **{"value": score, "verifier": None, "reward": None, "advantage": None},
    }


def panels(folder, panel):
    """20 rollouts of 3 votes (9, 9, 0), a third without enough confidence, and one that no checkpoint has."""
    groups = [
        [
            trace(f"{n}?", "x", score, f"grpo:{1 + n}:0:0:{vote}", reply=f"{n}.{vote} Score: {score}")
            for vote, score in enumerate((9, 9, 0))
        ]
        for n in range(31)
    ]
    run_dir = run_of(folder, [line for lines in groups for line in lines])
    records = [
        record(lines, "low_confidence", None, n) if n % 3 == 2 else record(lines, "scored", 9, n)
        for n, lines in enumerate(groups[:30])
    ]
    for name, part in (("step-000015.e1", records[:15]), ("step-000030.e1", records[15:])):
        (run_dir / "grpo/checkpoints" / name).mkdir(parents=True)
        text = "".join(json.dumps(line) + "\n" for line in part)
        (run_dir / "grpo/checkpoints" / name / "rollouts.jsonl").write_text(text)
    return build(run_dir, modes=["single_token"], holdout=0.1, panel=panel)


def test_votes_on_rollouts_that_the_panel_did_not_score_are_not_taught(tmp_path):
    found = panels(tmp_path, {"votes": 3, "confidence_threshold": 0.5})
    assert found.traces == 60 and found.prompts == 20
    assert found.outcomes == {0: 20, 9: 40}


def test_votes_that_a_majority_overruled_are_not_taught(tmp_path):
    found = panels(tmp_path, {"votes": 3, "combine": "majority"})
    assert found.outcomes == {9: 40}


def test_a_single_vote_without_a_threshold_is_taught_whether_a_checkpoint_has_its_rollout_or_not(tmp_path):
    assert panels(tmp_path, {"votes": 1}).traces == 93


def test_no_prompt_is_on_both_sides_of_the_split(tmp_path):
    found = build(run_of(tmp_path, sums(30, 4)), modes=BOTH, holdout=0.2)
    assert not prompts_of(found.train) & prompts_of(found.holdout)
    assert len(prompts_of(found.holdout)) == 6
    assert len(found.train) + len(found.holdout) == 2 * 120


def test_prompts_of_the_eval_and_audit_splits_are_never_in_it_however_they_are_spaced(tmp_path):
    run_dir = run_of(tmp_path, sums(30, 2))
    (run_dir / "data").mkdir()
    (run_dir / "data" / "eval.jsonl").write_text(json.dumps({"prompt": " 1+1=\n"}) + "\n")
    (run_dir / "data" / "audit.jsonl").write_text(json.dumps({"prompt": "1+2="}) + "\n")
    found = build(run_dir, modes=BOTH, holdout=0.2)
    assert not {"1+1=", "1+2="} & (prompts_of(found.train) | prompts_of(found.holdout))
    assert found.excluded == 4


def test_the_judges_verdicts_on_audit_rows_are_not_trained_on(tmp_path):
    audited = [trace("audited", str(n), 9, f"audit:r{n}:0") for n in range(40)]
    found = build(run_of(tmp_path, sums(20, 1) + audited), modes=BOTH, holdout=0.1)
    assert found.traces == 20


def test_repeats_go_and_votes_that_differ_stay(tmp_path):
    lines = sums(20, 1)
    again = [line | {"key": f"{n:064x}", "reused_from": line["key"]} for n, line in enumerate(lines)]
    vote = lines[0] | {"key": "f" * 64, "reply": "I doubt it. Score: 4", "score": 4}
    found = build(run_of(tmp_path, [*lines, *again, vote]), modes=BOTH, holdout=0.1)
    assert (found.traces, found.duplicates) == (21, 20)


def test_the_order_in_which_the_gateway_wrote_changes_nothing(tmp_path):
    lines = sums(30, 2)
    one = build(run_of(tmp_path / "one", lines), modes=BOTH, holdout=0.2)
    other = build(run_of(tmp_path / "other", lines[::-1]), modes=BOTH, holdout=0.2)
    assert one == other


def skewed():
    return [
        trace(f"{n}?", "x", 9 if n % 8 else 0, f"grpo:{n}:0:0:0", reply=f"{n} Score: {9 if n % 8 else 0}")
        for n in range(80)
    ]


def test_oversampling_repeats_rare_scores_in_training_only(tmp_path):
    found = build(run_of(tmp_path, skewed()), modes=["single_token"], holdout=0.2, balance="oversample")
    counts = Counter(example.score for example in found.train)
    assert counts[0] / counts[9] == pytest.approx(1, abs=0.35)
    assert Counter(example.score for example in found.holdout)[0] < 5
    assert len({example.key for example in found.train}) == len(found.train)


def test_weights_make_each_score_count_the_same_and_average_to_one(tmp_path):
    found = build(run_of(tmp_path, skewed()), modes=["single_token"], holdout=0.2, balance="weight")
    total = Counter()
    for example in found.train:
        total[example.score] += example.weight
    assert total[0] == pytest.approx(total[9], rel=0.15)
    assert sum(total.values()) / len(found.train) == pytest.approx(1)
    assert {example.weight for example in found.holdout} == {1.0}


def test_at_most_the_asked_number_of_traces_is_used(tmp_path):
    found = build(run_of(tmp_path, sums(30, 2)), modes=BOTH, holdout=0.2, max_examples=24)
    assert found.traces == 24


def test_no_traces_and_too_few_are_refused_with_what_was_found(tmp_path):
    with pytest.raises(BadRequest, match="found none"):
        build(tmp_path, modes=BOTH, holdout=0.1)
    with pytest.raises(BadRequest, match=r"at least 16 .* found 3 \(5 in all, 2 repeated"):
        build(
            run_of(tmp_path, sums(3, 1) + [line | {"key": f"{n:064x}"} for n, line in enumerate(sums(2, 1))]),
            modes=BOTH,
            holdout=0.1,
        )


def test_reasoned_examples_cannot_come_from_a_judge_that_never_reasoned(tmp_path):
    lines = [line | {"mode": "single_token", "reply": str(line["score"])} for line in sums(20, 1)]
    with pytest.raises(BadRequest, match="reasoned") as error:
        build(run_of(tmp_path, lines), modes=BOTH, holdout=0.1)
    assert error.value.field == "sft.modes"


def test_prompts_that_differ_in_case_and_space_alone_are_one_prompt():
    assert prompt_hash("Solve  3x = 6.\n") == prompt_hash("solve 3x = 6.")
    assert prompt_hash("3x = 6") != prompt_hash("3x = 7")
