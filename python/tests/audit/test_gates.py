import pytest

from gavel_train.audit import gates
from gavel_train.contracts import GateSpec, MeasureRecord

KAPPA = "fidelity.grader.single_token.quadratic_weighted_kappa"


def record(point=0.8, low=0.6, high=0.9, *, n=100, prompts=40, record_id=KAPPA, slice_name="all", method="m"):
    return MeasureRecord(
        id=record_id, slice=slice_name, point=point, low=low, high=high, n=n, prompts=prompts, method=method
    )


def gate(at_least=None, at_most=None, gate_id=KAPPA, slice_name="all"):
    return GateSpec(id=gate_id, slice=slice_name, at_least=at_least, at_most=at_most)


def judge(records, *specs, headline="single_token"):
    return gates.judge_gates(records, specs, headline)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (record(0.8, 0.6, 0.9), "PASS"),
        (record(0.8, 0.59, 0.9), "INCONCLUSIVE"),
        (record(0.5, 0.4, 0.6), "INCONCLUSIVE"),
        (record(0.5, 0.4, 0.59), "FAIL"),
        (record(0.9, None, None), "INCONCLUSIVE"),
        (record(None, None, None, n=0, prompts=0), "INCONCLUSIVE"),
        (record(0.9, 0.8, 1.0, prompts=29), "INCONCLUSIVE"),
        (record(0.1, 0.0, 0.2, prompts=29), "INCONCLUSIVE"),
        (record(0.9, 0.8, 1.0, prompts=30), "PASS"),
    ],
)
def test_a_gate_is_decided_on_the_bound_and_not_on_the_point(found, verdict):
    assert gates.decide(found, gate(at_least=0.6)).verdict == verdict


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (record(0.3, 0.2, 0.6), "PASS"),
        (record(0.3, 0.2, 0.61), "INCONCLUSIVE"),
        (record(0.7, 0.6, 0.8), "INCONCLUSIVE"),
        (record(0.7, 0.61, 0.8), "FAIL"),
    ],
)
def test_a_gate_from_above_is_decided_on_the_other_bound(found, verdict):
    assert gates.decide(found, gate(at_most=0.6)).verdict == verdict


def test_each_verdict_says_why_in_words():
    assert gates.decide(record(0.8, 0.6, 0.9), gate(0.6)).reason == "The low bound 0.6 is at least 0.6."
    assert gates.decide(record(0.5, 0.4, 0.59), gate(0.6)).reason == "The high bound 0.59 is below 0.6."
    assert (
        gates.decide(record(0.7, 0.65, 0.8), gate(at_most=0.6)).reason == "The low bound 0.65 is above 0.6."
    )
    open_one = gates.decide(record(0.7, 0.5, 0.9), gate(0.6))
    assert open_one.reason == (
        "The interval from 0.5 to 0.9 holds 0.6. About 300 more rows would settle it if the point is true."
    )
    few = gates.decide(record(0.9, 0.8, 1, n=40, prompts=20), gate(0.6))
    assert few.reason.startswith("Expected 30 prompts or more, found 20. About 20 more rows")
    none = gates.decide(record(0.9, None, None, method="no interval: one prompt"), gate(0.6))
    assert none.reason == "There is no interval: no interval: one prompt."


def test_an_open_gate_says_how_many_more_rows_would_settle_it():
    # Twice as wide as it may be: four times the rows, so three times as many more.
    assert gates.rows_needed(record(0.7, 0.5, 0.9), gate(0.6)) == 300
    assert gates.rows_needed(record(0.5, 0.3, 0.7), gate(0.6)) == 300
    assert gates.rows_needed(record(0.5, 0.3, 0.7), gate(at_most=0.6)) == 300
    assert gates.rows_needed(record(0.6, 0.5, 0.7), gate(0.6)) is None
    assert gates.rows_needed(record(0.7, None, None), gate(0.6)) is None
    # The interval would do, and there are too few prompts: as many rows a prompt as now.
    assert gates.rows_needed(record(0.9, 0.8, 1.0, n=40, prompts=10), gate(0.6)) == 80


def test_one_failed_gate_fails_the_audit_and_none_at_all_settles_nothing():
    good, bad = record(0.8, 0.7, 0.9), record(0.3, 0.2, 0.4, record_id="truth.grader.file.accuracy")
    passing, failing = gate(0.6), gate(0.6, gate_id="truth.grader.file.accuracy")
    unmatched = gate(0.6, gate_id="people.grader.file.kappa")
    assert gates.overall(judge([good, bad], passing)) == "PASS"
    assert gates.overall(judge([good, bad], passing, unmatched)) == "INCONCLUSIVE"
    assert gates.overall(judge([good, bad], passing, unmatched, failing)) == "FAIL"
    assert gates.overall([]) == "INCONCLUSIVE"


def test_a_verdict_covers_the_parts_of_cleared_gates_alone():
    records = [record(0.8, 0.7, 0.9), record(0.3, 0.2, 0.4, record_id="truth.grader.file.accuracy")]
    found = judge(records, gate(0.6), gate(0.6, gate_id="truth.*"), gate(0.6, gate_id="people.*"))
    assert gates.covers(found) == ["fidelity"]


@pytest.mark.parametrize(
    ("glob", "text", "same"),
    [
        ("fidelity.*.exact", "fidelity.grader.single_token.exact", True),
        ("*", "fidelity.grader.single_token.exact", True),
        ("fidelity.*", "truth.grader.file.accuracy", False),
        ("fidelity.grader.*", "fidelity.grader", False),
        ("kind=*", "kind=a=b*c", True),
        ("kind=[ab]", "kind=a", False),
        ("kind=[ab]", "kind=[ab]", True),
        ("kind=?", "kind=a", False),
        ("kind=A", "kind=a", False),
        ("kind=a.c", "kind=abc", False),
        ("kind=*end", "kind=two\nlines end", True),
        ("score=1*3", "score=1", False),
    ],
)
def test_a_star_stands_for_any_text_and_everything_else_for_itself(glob, text, same):
    assert gates.is_match(glob, text) is same


def test_every_match_of_a_gate_must_pass():
    other = "fidelity.grader.reasoned.quadratic_weighted_kappa"
    both = gate(0.6, gate_id="fidelity.grader.*.quadratic_weighted_kappa")
    (passed,) = judge([record(), record(record_id=other)], both)
    assert (passed.verdict, len(passed.matches)) == ("PASS", 2)
    (open_one,) = judge([record(), record(0.7, 0.5, 0.9, record_id=other)], both)
    assert open_one.verdict == "INCONCLUSIVE"
    assert open_one.reason.startswith(f"2 records: 1 PASS, 1 INCONCLUSIVE. {other} (all): The interval")
    (failed,) = judge([record(0.7, 0.5, 0.9), record(0.3, 0.2, 0.4, record_id=other)], both)
    assert failed.verdict == "FAIL"


def test_headline_in_an_id_stands_for_the_headline_mode():
    headline = gate(0.6, gate_id="fidelity.grader.headline.quadratic_weighted_kappa")
    other = "fidelity.grader.reasoned.quadratic_weighted_kappa"
    records = [record(), record(record_id=other)]
    assert [m.record.id for m in judge(records, headline)[0].matches] == [KAPPA]
    assert [m.record.id for m in judge(records, headline, headline="reasoned")[0].matches] == [other]


def test_a_gate_on_slices_takes_each_value_and_leaves_out_the_whole():
    records = [record(0.9, 0.85, 0.95), *(record(0.8, 0.7, 0.9, slice_name=f"kind={kind}") for kind in "ab")]
    (found,) = judge(records, gate(0.6, slice_name="kind=*"))
    assert [match.record.slice for match in found.matches] == ["kind=a", "kind=b"]
    (whole,) = judge(records, gate(0.6))
    assert [match.record.slice for match in whole.matches] == ["all"]


def test_a_star_for_the_role_takes_no_baseline_and_its_name_does():
    rows = {"truth.grader.file.accuracy": 0.9, "truth.always_pass.constant.accuracy": 0.5}
    records = [record(p, p - 0.05, p + 0.05, record_id=name) for name, p in rows.items()]
    (every,) = judge(records, gate(0.6, gate_id="truth.*.accuracy"))
    assert [match.record.id for match in every.matches] == ["truth.grader.file.accuracy"]
    (named,) = judge(records, gate(at_most=0.6, gate_id="truth.always_pass.*.accuracy"))
    assert (named.verdict, len(named.matches)) == ("PASS", 1)


def test_a_gate_without_a_match_says_what_there_is_instead():
    misspelt, unknown, absent, other, unsliced = judge(
        [record()],
        gate(0.6, gate_id="fidelity.grader.headline.quadratic_weigted_kappa"),
        gate(0.6, gate_id="x.y.z.happiness"),
        gate(0.6, gate_id="truth.grader.headline.accuracy"),
        gate(0.6, gate_id="fidelity.base.headline.quadratic_weighted_kappa"),
        gate(0.6, slice_name="kind=*"),
    )
    assert {one.verdict for one in (misspelt, unknown, absent, other, unsliced)} == {"INCONCLUSIVE"}
    assert misspelt.matches == []
    assert misspelt.reason.endswith(f"found none. Did you mean {KAPPA}?")
    assert unknown.reason.endswith("found none: no measure has this name.")
    assert absent.reason.endswith("nothing was given to measure it by, say a judge or ground truth.")
    assert other.reason.endswith(f"found none; of this measure there are {KAPPA}.")
    assert unsliced.reason == "Expected a record of the slice kind=*, found the slices all."
