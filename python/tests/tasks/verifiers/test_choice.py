import pytest
from true_rows import true_row

from gavel_train.tasks.verifiers.named import verifier_named


def choice(choices, **params):
    return verifier_named("choice", {"choices": choices, **params})


CITIES = ["Paris", "Lyon", "New York", "New York City"]
LETTERS = ["A", "B", "C"]
OPTIONS = {"A": "Paris", "B": "Lyon"}


@pytest.mark.parametrize(
    ("choices", "completion", "read"),
    [
        (CITIES, "It is Paris.", "Paris"),
        (CITIES, "Not Lyon, it's PARIS", "Paris"),
        (CITIES, "Paris, not Lyon", "Paris"),
        (CITIES, "It is New York City", "New York City"),
        (CITIES, "Lyon is smaller. Paris is large.\nThe answer is Paris", "Paris"),
        (CITIES, "Paris and Lyon", "Paris and Lyon"),
        (CITIES, "Paris. Or Lyon?", "Paris and Lyon"),
        (CITIES, "It isn't Paris", None),
        (CITIES, "Parisian", None),
        (CITIES, "", None),
        (["yes", "no"], "No, it does not.", "no"),
        (["yes", "no"], "Yes.", "yes"),
        (["yes", "no"], "Yes and no", "yes and no"),
        (LETTERS, "B", "B"),
        (LETTERS, "(b)", "B"),
        (LETTERS, "**B**", "B"),
        (LETTERS, "The answer is B because a capital has it", "B"),
        (LETTERS, "I pick option C", "C"),
        (LETTERS, "a cat", None),
        (LETTERS, "A or B", "A and B"),
        (LETTERS, r"\boxed{C}", "C"),
        (OPTIONS, "A. Paris", "A"),
        (OPTIONS, "It is Lyon", "B"),
        (OPTIONS, "B. Paris", "B and A"),
    ],
)
def test_the_label_that_is_named_is_read(choices, completion, read):
    for truth in choices:
        value, found = choice(choices).check(completion, true_row(truth))
        assert found == read
        assert value == (1.0 if read == truth else 0.0)


def test_a_row_may_have_labels_of_its_own():
    own = verifier_named("choice", {"choices_field": "options"})
    assert own.check("It is red", true_row("red", options=["red", "blue"])).value == 1.0
    assert own.check("It is red", true_row("red", options={"red": "r", "blue": "b"})).value == 1.0
    assert own.refuse("red", {"options": ["red", "blue"]}) is None
    assert "one of the 2 labels" in own.refuse("green", {"options": ["red", "blue"]})
    for options in (None, "red", ["red"], ["red", "Red!"], ["red", 1], {"red": 1, "blue": 2}):
        assert "field 'options'" in own.refuse("red", {"options": options})
        assert own.check("red", true_row("red", options=options)) == (0.0, None)


def test_a_truth_may_be_given_by_its_text():
    assert choice(OPTIONS).refuse("Lyon", {}) is None
    assert choice(OPTIONS).check("b", true_row("Lyon")).value == 1.0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "got both or neither"),
        ({"choices": CITIES, "choices_field": "options"}, "got both or neither"),
        ({"choices": ["one"]}, "two labels or more"),
        ({"choices": ["a b", "A  b."]}, "differ by more than case and signs"),
        ({"choices": "yes"}, "a list of two labels"),
        ({"choices_field": 3}, "the name of a field"),
        ({"choices": LETTERS, "pattern": "x"}, "'choice' has no parameter 'pattern'; it reads choices and"),
    ],
)
def test_labels_of_no_use_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        verifier_named("choice", params)
