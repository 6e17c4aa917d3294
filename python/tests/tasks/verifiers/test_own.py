import sys

import pytest
from true_rows import true_row

from gavel_train.run.outcome import BadRequest
from gavel_train.tasks.verifiers.named import verifier_named

SOURCE = """
from os import system

def equal(completion, row):
    return completion.strip() == row["ground_truth"] + row["meta"].get("unit", "")

def half(completion, row):
    return 0.5

def broken(completion, row):
    raise KeyError("secret text of a model")

def odd(completion, row):
    return {"nan": float("nan"), "two": 2, "none": None, "text": "yes"}[completion]

class Numpy:
    def item(self):
        return 0.25

def numpy(completion, row):
    return Numpy()

nothing = 7
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder on the worker's PYTHONPATH, with the verifiers of SOURCE."""
    (tmp_path / "checks_of_ours").mkdir()
    (tmp_path / "checks_of_ours/__init__.py").write_text("")
    (tmp_path / "checks_of_ours/units.py").write_text(SOURCE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "checks_of_ours"]:
        del sys.modules[name]


def own(function):
    return verifier_named(f"checks_of_ours.units:{function}", {})


def test_a_function_of_the_workers_pythonpath_is_asked_with_the_row(folder):
    assert own("equal").check("3km", true_row("3", unit="km")) == (1.0, None)
    assert own("equal").check("3", true_row("3", unit="km")).value == 0.0
    assert own("half").check("3", true_row("3")).value == 0.5
    assert own("numpy").check("3", true_row("3")).value == 0.25
    assert sys.path[0] != str(folder)


def test_an_exception_names_verifier_and_row_and_never_quotes_the_model(folder):
    with pytest.raises(BadRequest, match=r"checks_of_ours\.units:broken raised KeyError on row r1") as error:
        own("broken").check("3", true_row("3"))
    assert error.value.field == "task.params.verifier" and "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("said", "found"), [("nan", "nan"), ("two", "2"), ("none", "NoneType"), ("text", "str")]
)
def test_what_is_no_verdict_is_a_failure_and_no_zero(folder, said, found):
    with pytest.raises(BadRequest, match=f"returned {found} for row r1; expected True, False or a number"):
        own("odd").check(said, true_row("3"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("os:system", "no module 'os' in"),
        ("gavel_train.tasks.jsonl:make_splits", "no module 'gavel_train' in"),
        ("pytest:main", "no module 'pytest' in"),
        ("checks_of_ours.units:system", "which is of posix"),
        ("checks_of_ours.units:nothing", "to name a function, got .*: int"),
        ("checks_of_ours.units:absent", "nothing of that name"),
        ("checks_of_ours.absent:equal", "can be imported, got .*: ModuleNotFoundError"),
        ("checks_of_ours.units:equal.__call__", "to be package.module:function"),
        ("../checks:equal", "to be package.module:function"),
        (":equal", "to be package.module:function"),
    ],
)
def test_what_the_worker_does_not_offer_is_refused(folder, name, message):
    with pytest.raises(ValueError, match=message):
        verifier_named(name, {})


def test_the_current_folder_and_gavels_own_offer_nothing(tmp_path, monkeypatch):
    (tmp_path / "here_alone.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with pytest.raises(ValueError, match="no module 'here_alone' in PYTHONPATH, which names no folder"):
        verifier_named("here_alone:equal", {})


def test_a_module_that_is_loaded_from_elsewhere_is_told_apart(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text(SOURCE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ValueError, match="a module 'json' is loaded from elsewhere"):
        verifier_named("json:equal", {})


def test_a_module_that_cannot_be_imported_is_named(folder):
    (folder / "checks_of_ours/units.py").write_text("import nothing_of_that_name")
    with pytest.raises(ValueError, match="ModuleNotFoundError: No module named 'nothing_of_that_name'"):
        own("equal")
    with pytest.raises(ValueError, match="has no parameter 'pattern'; it has none"):
        verifier_named("checks_of_ours.units:equal", {"pattern": "x"})
