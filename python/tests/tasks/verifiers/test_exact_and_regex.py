import time

import pytest
import regex
from true_rows import true_row

from gavel_train.tasks.verifiers.named import verifier_named
from gavel_train.tasks.verifiers.pattern import Regex


def right(verifier, completion, truth):
    return verifier.check(completion, true_row(truth)).value == 1.0


def test_exact_compares_the_whole_text_and_ignores_only_what_it_is_told():
    plain = verifier_named("exact", {})
    assert right(plain, " Paris\n", "Paris") and right(plain, "Cafe\u0301", "Café")
    for other in ("paris", "Paris.", "The Paris", "It is Paris"):
        assert not right(plain, other, "Paris")
    every = verifier_named("exact", {"ignore": ["case", "spaces", "punctuation", "articles"]})
    for same in ("paris", "Paris.", "the  PARIS", "\N{FULLWIDTH LATIN CAPITAL LETTER P}aris"):
        assert right(every, same, "Paris")
    assert not right(every, "It is Paris", "Paris")
    assert right(every, "STRASSE", "Straße") and right(every, "The", "the") and not right(every, "", "the")
    case = verifier_named("exact", {"ignore": ["case"]})
    assert right(case, "pARIS", "Paris") and not right(case, "a  b", "a b")
    assert "more than `ignore`" in every.refuse("...", {}) and plain.refuse("...", {}) is None


def test_regex_compares_its_last_match_with_the_truth():
    marked = verifier_named("regex", {"pattern": r"(?i)answer:\s*(.+)"})
    assert right(marked, "Answer: Lyon\nno\nANSWER:  paris ", "Paris")
    assert not right(marked, "Paris", "Paris") and not right(marked, "answer: it is Paris", "Paris")
    named = verifier_named("regex", {"pattern": r"(\d+) of (?P<answer>\w+)", "ignore": []})
    assert named.check("3 of apples", true_row("apples")) == (1.0, "apples")
    assert not right(named, "3 of Apples", "apples")
    assert verifier_named("regex", {"pattern": r"\d+"}).check("1, then 2", true_row("2")) == (1.0, "2")
    optional = verifier_named("regex", {"pattern": r"x(y)?"})
    assert optional.check("x", true_row("y")) == (0.0, None)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (None, "Expected param 'pattern'"),
        ("", "Expected param 'pattern'"),
        ("(", "missing"),
        ("(a)(b)", "one group, or one named"),
        ("a" * 1001, "at most 1000 characters"),
        (r"(a+)+$", "Nested repetitions"),
    ],
)
def test_a_pattern_of_no_use_is_refused_before_anything_starts(pattern, message):
    with pytest.raises(ValueError, match=message):
        verifier_named("regex", {"pattern": pattern})


def test_a_search_that_does_not_end_is_wrong_and_said(capsys):
    slow = Regex(regex.compile(r"(z|zq?)+y"), frozenset())
    began = time.process_time()
    assert slow.check("zq" * 40 + "z" * 60, true_row("y")) == (0.0, None)
    assert time.process_time() - began < 4
    said = capsys.readouterr().err
    assert "took longer than 2 s in a completion of 140 characters (row r1)" in said


def test_params_of_another_verifier_are_refused():
    with pytest.raises(ValueError, match="Verifier 'exact' has no parameter 'pattern'; it reads ignore"):
        verifier_named("exact", {"pattern": "x"})
    with pytest.raises(ValueError, match="Verifier 'math' has no parameter 'ignore'; it has none"):
        verifier_named("math", {"ignore": []})
    with pytest.raises(ValueError, match="Expected param 'ignore' to be a list of case, spaces"):
        verifier_named("exact", {"ignore": ["colour"]})
    with pytest.raises(ValueError, match="'max_words' to be a whole number"):
        verifier_named("contains", {"max_words": 0})
