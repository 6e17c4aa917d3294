import numpy as np
import pytest
from graded_rows import answers, named, sample

from gavel_train.audit.sample import PAIRWISE

ORDERS = ["consistent", "first", "first", "second", "", "consistent", "consistent", ""]


def measured(position: str, orders=ORDERS):
    asked = answers(label=np.arange(len(orders)) % 3, order_N=np.array(orders, dtype="<U10"))
    return named("order", position).statistic(sample(range(len(orders)), asked, labels=PAIRWISE))


@pytest.mark.parametrize(("position", "share"), [("consistent", 3 / 6), ("first", 2 / 6), ("second", 1 / 6)])
def test_pairs_are_counted_by_what_both_orders_say_together(position, share):
    found = measured(position)
    assert found.point == pytest.approx(share)
    # Those without a verdict are in no count.
    assert found.n == 6


def test_verdicts_of_which_no_order_is_known_have_no_such_measure():
    for position in ("consistent", "first", "second"):
        assert measured(position, [""] * 4) is None
        unasked = sample(range(3), answers(label=np.arange(3)), labels=PAIRWISE)
        assert named("order", position).statistic(unasked) is None
