import os
import signal
import threading

import pytest
from true_rows import true_row

from gavel_train.tasks.verifiers import math_process
from gavel_train.tasks.verifiers.math_answer import Math


@pytest.mark.parametrize(
    ("completion", "truth", "value"),
    [
        ("The answer is 1/2.", "0.5", 1.0),
        (r"So $\frac{1}{2}$.", "0.5", 1.0),
        (r"\boxed{x=3}", "3", 1.0),
        (r"$x^2+2x+1$", "(x+1)^2", 1.0),
        (r"$\{1,2\}$", r"\{2,1\}", 1.0),
        ("It is 3 or 4", "4", 1.0),
        (r"\boxed{5}, \boxed{6}", "6", 0.0),
        (r"$(2,1)$", "(1,2)", 0.0),
        ("It is 5", "4", 0.0),
        ("Paris", "4", 0.0),
        ("", "4", 0.0),
        (r"\boxed{\frac{", "4", 0.0),
    ],
)
def test_answers_are_compared_as_mathematics(completion, truth, value):
    assert Math().check(completion, true_row(truth)).value == value


def test_a_truth_that_is_no_mathematics_is_refused():
    assert "got words" in Math().refuse("the capital", {})
    assert "math-verify" in Math().refuse("?", {})
    assert Math().refuse(r"\text{no}+\sin(x)", {}) is None
    assert Math().refuse(r"\frac{1}{2}", {}) is None and Math().refuse("x^2+1", {}) is None


def test_what_cannot_be_computed_is_wrong_and_the_next_answer_is_read(capsys):
    assert Math().check(r"$10^{10^{10}}$", true_row("7")) == (0.0, None)
    said = capsys.readouterr().err
    assert "a completion of 14 characters (row r1) was not compared: it took more than 3 s" in said
    assert Math().check("It is 7", true_row("7")) == (1.0, "7")


def test_threads_may_ask_at_once_and_alarms_of_the_process_stay():
    before = signal.getsignal(signal.SIGALRM)
    found = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(Math().check(f"It is {n}", true_row(str(n))).value))
        for n in range(20, 30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1.0] * 10 and signal.getsignal(signal.SIGALRM) is before


def test_a_process_that_was_killed_is_replaced():
    Math().check("It is 31", true_row("31"))
    os.kill(math_process._running._child.pid, signal.SIGKILL)
    assert Math().check("It is 32", true_row("32")).value == 1.0
