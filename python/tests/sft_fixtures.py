"""Fixtures of the tests that train a grader, for modules that say `pytest_plugins = "sft_fixtures"`."""

import pytest
from sft_run import SETTINGS, ready, request, train
from tiny_run import make_root


@pytest.fixture(scope="module")
def stage_is_ready(tmp_path_factory):
    """Requests of the module find a gateway of stage sft."""
    with ready(tmp_path_factory.mktemp("gateway")):
        yield


@pytest.fixture(scope="module")
def calm(stage_is_ready, tmp_path_factory):
    """A run that trained without a break: its root, and what the stage reported."""
    root = make_root(tmp_path_factory.mktemp("calm"))
    return root, train(request(root, 1, sft=SETTINGS))
