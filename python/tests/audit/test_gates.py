import pytest

from gavel_train.audit import gates
from gavel_train.audit.globs import is_match
from gavel_train.audit.scope import Scope
from gavel_train.audit.slices import SlicedField
from gavel_train.contracts import GateSpec, MeasureRecord, SliceField

KAPPA = "fidelity.grader.single_token.quadratic_weighted_kappa"


def record(point=0.8, low=0.6, high=0.9, *, n=100, prompts=40, record_id=KAPPA, slice_name="all", method="m"):
    return MeasureRecord(
        id=record_id, slice=slice_name, point=point, low=low, high=high, n=n, prompts=prompts, method=method
    )


def gate(at_least=None, at_most=None, gate_id=KAPPA, slice_name="all"):
    return GateSpec(id=gate_id, slice=slice_name, at_least=at_least, at_most=at_most)


def scope(headline="single_token", rows=100, prompts=40, **more):
    return Scope(headline_mode=headline, rows=rows, prompts=prompts, **more)


def judge(records, *specs, headline="single_token", **more):
    return gates.judge_gates(records, specs, scope(headline, **more))


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
    assert gates.decide(found, gate(at_least=0.6), scope()).verdict == verdict


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
    assert gates.decide(found, gate(at_most=0.6), scope()).verdict == verdict


def test_each_verdict_says_why_in_words():
    def reason(found, spec):
        return gates.decide(found, spec, scope()).reason

    assert reason(record(0.8, 0.6, 0.9), gate(0.6)) == "The low bound 0.6 is at least 0.6."
    assert reason(record(0.5, 0.4, 0.59), gate(0.6)) == "The high bound 0.59 is below 0.6."
    assert reason(record(0.7, 0.65, 0.8), gate(at_most=0.6)) == "The low bound 0.65 is above 0.6."
    none = record(0.9, None, None, method="no interval: one prompt")
    assert reason(none, gate(0.6)) == "There is no interval: no interval: one prompt."
    found = gates.decide(record(0.7, 0.5, 0.9), gate(0.6), scope())
    assert found.reason == (
        f"The interval from 0.5 to 0.9 holds 0.6. About {found.rows_needed:,} more rows on "
        f"{-(-found.rows_needed * 40 // 100)} more prompts would settle it with 80% power if the point is "
        "true."
    )
    few = reason(record(0.9, 0.8, 1, n=40, prompts=20), gate(0.6))
    assert few.startswith("Expected 30 prompts or more, found 20. About 50 more rows on 20 more prompts")


def test_one_failed_gate_fails_the_audit_and_none_at_all_settles_nothing():
    good, bad = record(0.8, 0.7, 0.9), record(0.3, 0.2, 0.4, record_id="truth.grader.file.accuracy")
    passing, failing = gate(0.6), gate(0.6, gate_id="truth.grader.file.accuracy")
    unmatched = gate(0.6, gate_id="people.grader.file.kappa")
    assert gates.overall(judge([good, bad], passing)) == "PASS"
    assert gates.overall(judge([good, bad], passing, unmatched)) == "INCONCLUSIVE"
    assert gates.overall(judge([good, bad], passing, unmatched, failing)) == "FAIL"
    assert gates.overall([]) == "INCONCLUSIVE"


def test_an_audit_passes_only_where_a_cleared_gate_is_about_the_grader():
    base = record(0.9, 0.85, 0.95, record_id="truth.base.file.accuracy")
    own = record(0.9, 0.85, 0.95, record_id="truth.grader.file.accuracy")
    policy = record(0.3, 0.2, 0.4, record_id="policy.policy.held_out.gain")
    others = [gate(0.6, gate_id="truth.base.*"), gate(0.1, gate_id="policy.*")]
    found = judge([base, own, policy], *others)
    assert [one.verdict for one in found] == ["PASS", "PASS"]
    assert (gates.overall(found), gates.covers(found)) == ("INCONCLUSIVE", [])
    assert all(one.reason.endswith("No gate is about the grader, so none clears it.") for one in found)
    both = judge([base, own, policy], *others, gate(0.6, gate_id="truth.*"))
    assert (gates.overall(both), gates.covers(both)) == ("PASS", ["truth"])
    assert not any("about the grader" in one.reason for one in both)
    assert gates.overall(judge([base], gate(0.99, gate_id="truth.base.*"))) == "FAIL"


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
    assert is_match(glob, text) is same


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


def test_a_star_for_the_slice_stands_for_slices_and_not_for_all_rows():
    whole, part = record(), record(0.5, 0.3, 0.7, slice_name="kind=a")
    for glob in ("*", "a*", "*l", "*=*"):
        (found,) = judge([whole], gate(0.6, slice_name=glob))
        assert (found.verdict, found.matches) == ("INCONCLUSIVE", [])
    (found,) = judge([whole, part], gate(0.6, slice_name="*"))
    assert [match.record.slice for match in found.matches] == ["kind=a"]


def field(left_out=(), without=0, said="2 values with fewer than 20 rows (9 rows in all)"):
    return SlicedField(SliceField(field="kind", values=[], left_out=said), (), left_out, without)


@pytest.mark.parametrize(
    ("glob", "left", "said"),
    [
        ("kind=*", field(["b", "c"]), "kind=b, kind=c, which are in no slice (2 values with fewer than 20"),
        ("*", field(["b", "c"]), "kind=b, kind=c, which"),
        ("*=c", field(["b", "c"]), "about kind=c, which"),
        ("kind=*", field(without=3, said="3 rows without kind"), "rows without kind, which are in no slice"),
        ("*", field([f"v{n:02}" for n in range(30)]), "kind=v09 and 20 more, which"),
        ("kind=a*", field(["b", "c"], without=3), None),
        ("kind=a", field(["b", "c"], without=3), None),
        ("*", SlicedField(SliceField(field="kind", values=[])), None),
    ],
)
def test_a_gate_on_slices_does_not_pass_over_values_that_have_none(glob, left, said):
    records = [record(slice_name="kind=a"), record(slice_name="kind=c" if "c" in glob else "kind=ab")]
    (found,) = judge(records, gate(0.6, slice_name=glob), fields=[left])
    assert (found.verdict, gates.overall([found])) == (
        ("PASS",) * 2 if said is None else ("INCONCLUSIVE",) * 2
    )
    assert said is None or said in found.reason
    assert {match.verdict for match in found.matches} == {"PASS"}
    (failed,) = judge([record(0.1, 0, 0.2, slice_name="kind=ac")], gate(0.6, slice_name="*"), fields=[left])
    assert failed.verdict == "FAIL"


def test_a_gate_on_modes_does_not_pass_over_one_that_was_not_measured():
    asked = [("grader", "single_token"), ("grader", "labels"), ("base", "single_token")]
    both = gate(0.6, gate_id="fidelity.grader.*.quadratic_weighted_kappa")
    (found,) = judge([record()], both, asked=asked)
    assert found.verdict == "INCONCLUSIVE"
    assert found.reason.endswith(
        "It is also about fidelity.grader.labels.quadratic_weighted_kappa, of which there is no record."
    )
    (named,) = judge([record()], gate(0.6, gate_id=KAPPA), asked=asked)
    (headline,) = judge([record()], gate(0.6, gate_id=KAPPA.replace("single_token", "headline")), asked=asked)
    assert (named.verdict, headline.verdict) == ("PASS", "PASS")
    measured = [record(), record(record_id="fidelity.grader.labels.quadratic_weighted_kappa")]
    assert judge(measured, both, asked=asked)[0].verdict == "PASS"
    # A role of which the gate matches no record at all was given nothing to measure it by.
    role = gate(0.6, gate_id="fidelity.*.single_token.quadratic_weighted_kappa")
    assert judge([record()], role, asked=asked)[0].verdict == "PASS"


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
