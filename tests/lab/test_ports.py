"""Ports for servers that are about to be started."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from telephony.lab import ports
from telephony.lab.ports import free_port, free_ports, give_back

OF_THE_KERNEL = (32_768, 61_000)


def test_a_port_is_given_once_and_is_none_that_the_kernel_gives_away():
    given = [free_port() for _ in range(50)]

    assert len(set(given)) == 50
    assert not set(given) & set(range(*OF_THE_KERNEL))


def test_two_processes_never_get_the_same():
    code = "from telephony.lab.ports import free_ports; print(free_ports(200), flush=True); input()"
    others = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        taken = set()
        for other in others:
            first = int(other.stdout.readline())
            taken |= set(range(first, first + 200))
        mine = {free_port() for _ in range(200)}
    finally:
        for other in others:
            other.communicate(b"\n")

    assert len(taken) == 400
    assert not taken & mine


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_that_somebody_has_bound_meanwhile_is_passed_over(kind):
    ports._left.clear()  # a fresh row, of which more than one is left
    first = free_port()
    following = ports._left[-1]
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", following))

        assert free_port() not in (first, following)


def test_more_than_there_are_is_told():
    for count in (12_000, 60_000):
        with pytest.raises(RuntimeError, match=f"no {count} free ports in a row"):
            free_ports(count)


def test_ports_that_are_given_back_are_given_again():
    """More of them one after the other than there are."""
    for _ in range(200):
        give_back(free_ports(200), 200)
