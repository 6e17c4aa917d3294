from gavel_train.contracts import PromptRow
from gavel_train.policy.audit_rows import Sampled, pairs_to_audit, rows_to_audit

PROMPTS = [PromptRow(id=f"p{n}", prompt=f"{n}+1=", ground_truth=str(n + 1), meta={}) for n in range(2)]
CHECKPOINTS = {"first": ("step-000000.e1", 0), "last": ("step-000010.e1", 10)}


def verify(completion: str, row: PromptRow) -> float:
    return float(completion == row.ground_truth)


def sampled(label: str, index: int, *texts: str) -> list[Sampled]:
    return [Sampled("audit", label, index, sample, text) for sample, text in enumerate(texts)]


def test_completions_of_a_prompt_and_checkpoint_are_paired_two_by_two():
    some = sampled("first", 0, "1", "7", "8", "1") + sampled("last", 1, "2", "3")
    rows = pairs_to_audit(some, PROMPTS, CHECKPOINTS, verify)
    assert [(row.id, row.completion, row.completion_b, row.preference) for row in rows] == [
        ("step-000000-00000-0-vs-1", "1", "7", "A"),
        ("step-000000-00000-2-vs-3", "8", "1", "B"),
        ("step-000010-00001-0-vs-1", "2", "3", "A"),
    ]
    assert [row.prompt_id for row in rows] == ["p0", "p0", "p1"]
    assert [row.source for row in rows] == ["step-000000.e1"] * 2 + ["step-000010.e1"]


def test_two_wrong_completions_tie_in_truth_and_two_equal_ones_are_no_row():
    rows = pairs_to_audit(
        sampled("first", 0, "5", "7") + sampled("first", 1, "9", "9"), PROMPTS, CHECKPOINTS, verify
    )
    assert [(row.id, row.preference) for row in rows] == [("step-000000-00000-0-vs-1", "tie")]


def test_without_a_verifiers_word_nothing_is_known_to_be_better():
    (row,) = pairs_to_audit(sampled("first", 0, "5", "7"), PROMPTS, CHECKPOINTS, lambda *_: None)
    assert row.preference is None


def test_a_policy_that_says_the_same_every_time_is_audited_on_pairs_that_tie():
    (row,) = pairs_to_audit(sampled("first", 0, "5", "5"), PROMPTS, CHECKPOINTS, verify)
    assert (row.completion, row.completion_b, row.preference) == ("5", "5", "tie")


def test_single_rows_keep_their_ids_and_the_verifiers_word():
    some = [*sampled("last", 1, "2", "3"), Sampled("eval", "last", 1, 0, "2")]
    rows = rows_to_audit(some, PROMPTS, CHECKPOINTS, verify)
    assert [(row.id, row.is_correct, row.completion_b) for row in rows] == [
        ("step-000010-00001-0", True, None),
        ("step-000010-00001-1", False, None),
    ]
