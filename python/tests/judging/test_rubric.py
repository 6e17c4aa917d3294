from pathlib import Path

import pytest
from tiny_run import RUBRIC

from gavel_train.judging.rubric import load_rubric, render
from gavel_train.run.outcome import BadRequest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples/rubrics"


def write(folder: Path, text: str) -> Path:
    path = folder / "rubric.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_rubric_loads_and_shows_prompt_and_completion_in_both_modes(path):
    rubric = load_rubric(path)
    for mode in ("reasoned", "single_token"):
        text = "".join(message["content"] for message in render(rubric, mode, "<PROMPT>", "<ANSWER>"))
        assert "<PROMPT>" in text
        assert "<ANSWER>" in text


def test_braces_inside_a_completion_stay_as_they_are(tmp_path):
    rubric = load_rubric(write(tmp_path, RUBRIC))
    messages = render(rubric, "reasoned", "p {{completion}}", "c {{prompt}} {{scores}}")
    assert messages == [{"role": "user", "content": "p {{completion}}\nc {{prompt}} {{scores}}\nThink."}]


def test_scores_are_listed_in_order_one_a_line(tmp_path):
    text = RUBRIC.replace("{{prompt}}\\n{{completion}}\\nThink.", "{{ scores }}|{{prompt}}")
    assert (
        render(load_rubric(write(tmp_path, text)), "reasoned", "p", "c")[0]["content"]
        == "0: wrong\n9: right|p"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "expected YAML"),
        ("- a", "expected a mapping, got list"),
        ("name: x", "scores"),
        (RUBRIC + "extra: 1\n", "extra"),
        (RUBRIC.replace("0: wrong", "10: wrong"), "scores"),
        (RUBRIC.replace("{{prompt}}", "{{promt}}"), "promt"),
        (RUBRIC.replace("{{prompt}}", "{{ground_truth}}"), "reference_guided must be true"),
    ],
)
def test_a_bad_rubric_is_refused_with_file_and_field(tmp_path, text, said):
    path = write(tmp_path, text)
    with pytest.raises(BadRequest, match=said) as error:
        load_rubric(path)
    assert str(path) in str(error.value)
    assert error.value.field == "judge.rubric"


def test_a_missing_rubric_is_named(tmp_path):
    with pytest.raises(BadRequest, match="found none"):
        load_rubric(tmp_path / "no.yaml")
