import inspect
from importlib import import_module

import pytest

from tests.benchmarks.__main__ import PARTS


@pytest.mark.parametrize("name", PARTS)
def test_every_benchmark_that_can_be_chosen_is_there(name: str) -> None:
    module = import_module(f"tests.benchmarks.{PARTS[name][0]}")
    assert inspect.iscoroutinefunction(module.measure)
