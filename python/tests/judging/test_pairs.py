import pytest

from gavel_train.judging.pairs import GroupPairs


@pytest.mark.parametrize("size", [2, 3, 4, 5, 8, 9, 16])
def test_each_completion_has_its_number_of_opponents_and_each_pair_is_there_once(size):
    for opponents in range(1, size):
        if opponents * size % 2:
            continue
        pairs = GroupPairs(size, opponents)
        found = list(pairs)
        assert len(found) == len(set(found)) == len(pairs)
        assert all(one < other for one, other in found)
        for rollout in range(size):
            others = {other if one == rollout else one for one, other in found if rollout in (one, other)}
            assert sorted(others) == pairs.of(rollout)
            assert len(others) == opponents
            assert rollout not in others


def test_all_opponents_are_a_round_robin():
    assert list(GroupPairs(4, 3)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
