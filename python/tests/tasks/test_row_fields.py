from gavel_train.tasks.row_fields import fields_of


def test_short_values_of_a_prompt_are_what_rows_are_sliced_by():
    meta = {"kind": "expand", "level": 3.0, "rate": 0.25, "hard": False, "numbers": [1, 2], "source": None}
    assert fields_of(meta) == {"kind": "expand", "level": "3", "rate": "0.25", "hard": "false"}


def test_long_text_is_content_and_no_slice():
    assert fields_of({"solution": "x" * 81, "topic": "x" * 80}) == {"topic": "x" * 80}
