import os
import socket
import sys

import pytest

from infrastructure.local_stack import ports
from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.ports import HIGHEST, LOOPBACK, LOWEST, choose_free, describe_holder, is_free


def test_a_port_is_free_until_somebody_listens_on_it() -> None:
    port = choose_free(frozenset())

    assert is_free(port)
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(port)
    assert is_free(port)


def test_excluded_ports_are_not_chosen() -> None:
    wanted = choose_free(frozenset())
    others = frozenset(range(LOWEST, HIGHEST + 1)) - frozenset(range(wanted - 500, wanted + 500))

    for _ in range(20):
        try:
            assert choose_free(others) not in others
        except LocalStackError:
            continue  # none of the drawn ones was left


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who listens")
def test_the_holder_of_a_port_is_named() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert describe_holder(server.getsockname()[1]).startswith(f"process {os.getpid()} (")


def test_the_holder_of_a_silent_port_is_another_program() -> None:
    assert describe_holder(choose_free(frozenset())) == "another program"


def test_a_machine_without_a_free_port_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _: False)

    with pytest.raises(LocalStackError, match=r"No free port .*Stop a program"):
        choose_free(frozenset())
