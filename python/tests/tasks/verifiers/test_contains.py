import pytest
from true_rows import true_row

from gavel_train.tasks.verifiers.contains import Contains


def says(completion, truth="Paris", max_words=60):
    return Contains(max_words).check(completion, true_row(truth)).value == 1.0


@pytest.mark.parametrize(
    "completion",
    [
        "Paris",
        "The capital of France is Paris.",
        "It's **Paris**!",
        "PARIS, France",
        "It is not Lyon, it is Paris.",
        "It is not Lyon but Paris.",
        "Paris, not Lyon.",
        "Is it not Paris? Yes, it's Paris.",
        "Lyon or Marseille? Hmm. It is Paris.",
        "Paris is the capital; it isn't a port.",
        "Not sure about the others.\nAnswer: Paris",
        r"So \boxed{\text{Paris}}",
        "\N{FULLWIDTH LATIN CAPITAL LETTER P}aris",
    ],
)
def test_a_sentence_that_says_the_truth_is_right(completion):
    assert says(completion)


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "Lyon",
        "Parisian",
        "It is not Paris.",
        "It isn't Paris",
        "It is Lyon instead of Paris",
        "Anything except Paris",
        "Paris is not the capital.",
        "Paris isn't it.",
        "Paris would be wrong.",
        "It is Paris. No, it is not Paris.",
        "Neither Lyon nor Paris",
        "Paris or Lyon",
        "It could be Lyon/Paris",
        "Lyon, Marseille, Paris, Nice",
        "The capital of France is Paris, Lyon, or Nice",
        "The capital of France is Lyon, Marseille and Paris",
        "- Lyon\n- Paris\n- Nice",
        "1. Paris\n2. Lyon",
        "Paris " + "and so on " * 30,
        "Paris is where I was.\nAnswer: Lyon",
    ],
)
def test_a_text_that_denies_lists_or_drowns_the_truth_is_wrong(completion):
    assert not says(completion)


def test_what_it_does_not_notice_is_as_stated():
    # Two answers in sentences of their own, and a doubt that reads like a denial.
    assert says("It is Paris. It is Lyon.") and says("It is Paris. It is Lyon.", "Lyon")
    assert not says("There is no doubt that it is Paris")


def test_articles_signs_and_accents_are_as_stated():
    assert says("It was the Beatles", "Beatles") and says("Beatles", "The Beatles")
    assert says("in the U.S. of course", "U.S.") and says("Saint-Denis", "saint denis")
    assert says("It is Cafe\u0301.", "Café") and not says("Cafe", "Café")
    assert says("salt, pepper and sugar it is", "Salt, pepper and sugar")
    assert says("not guilty", "not guilty") and not says("guilty", "not guilty")


def test_words_of_other_scripts_are_whole_too():
    assert says("首都是巴黎。", "巴黎") and not says("首都是里昂。", "巴黎")
    assert says("उत्तर दिल्ली है", "दिल्ली") and not says("दिल", "दिल्ली")


def test_the_limit_of_words_is_the_one_that_params_name():
    assert not says("I think it is Paris", max_words=4) and says("I think it is Paris", max_words=5)


def test_the_reading_says_what_was_found():
    check = Contains().check
    assert check("It is Paris", true_row("Paris")) == (1.0, "paris")
    assert check("It is not Paris", true_row("Paris")) == (0.0, "not paris")
    assert check("It is Lyon", true_row("Paris")) == (0.0, None)


def test_a_truth_that_any_answer_would_contain_is_refused():
    assert "signs alone" in Contains().refuse("?!", {})
    assert "at most max_words = 2" in Contains(2).refuse("a longer truth", {})
    assert Contains().refuse("Paris", {}) is None
