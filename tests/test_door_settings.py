"""Machines that come in over HTTP: what is wrong with their tables is told before anything listens."""

from __future__ import annotations

import pytest

from tests.test_settings import House

TOKEN = "0123456789abcdef" * 2
PRESSER = """
[web]
[[web.presser]]
name = "app"
token = {env = "APP_TOKEN"}
sources = ["app"]
carriers = ["skt"]
"""


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.setenv("APP_TOKEN", TOKEN)
    monkeypatch.setenv("OTHER_TOKEN", TOKEN[::-1])
    return House(tmp_path).add(PRESSER)


def test_a_machine_that_presses_is_a_name_a_token_and_what_it_may_press_for(house):
    (presser,) = house.load().web.presser
    assert (presser.name, presser.token.read(), presser.addresses) == ("app", TOKEN, ())
    assert (presser.sources, presser.carriers) == (("app",), ("skt",))


def test_a_carrier_may_come_over_http_alone(house):
    house.add('[[carrier]]\nname = "kt"\n').replace('carriers = ["skt"]', 'carriers = ["skt", "kt"]')
    assert [carrier.name for carrier in house.load().carrier] == ["skt", "kt"]


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ('carriers = ["skt"]', 'carriers = ["sk"]', "web.presser[0].carriers[0]", 'there is no carrier "sk"; did you mean'),
        ('carriers = ["skt"]', "carriers = []", "web.presser[0].carriers", "is empty"),
        ('sources = ["app"]', 'sources = ["watch"]', "web.presser[0].sources[0]", '"watch" is not one of the choices'),
        ('sources = ["app"]', "", "web.presser[0].sources", "is missing"),
        ('sources = ["app"]', 'sources = ["app"]\naddresses = ["skt.example"]', "web.presser[0].addresses", "skt.example"),
        ('{env = "APP_TOKEN"}', '{env = "NOT_SET_ANYWHERE"}', "web.presser[0].token", "set the environment variable"),
        ('{env = "APP_TOKEN"}', f'"{TOKEN}"', "web.presser[0].token", "file"),
        ('name = "app"', 'name = "skt-1"', "web.presser[0].name", "another link or presser"),
        ("[web]", PRESSER.replace("[web]", "") + "[[web.presser]]", "web.presser[1].name", "another link or presser"),
    ],
)  # fmt: skip
def test_a_fault_is_told_at_its_key(house, old, new, key, words):
    if new.endswith("[[web.presser]]"):
        house.add(PRESSER.replace("[web]", "").replace("APP_TOKEN", "OTHER_TOKEN"))
    else:
        house.replace(old, new)
    faults = house.faults()
    assert list(faults) == [key]
    assert words in faults[key]
    assert TOKEN not in faults[key]


@pytest.mark.parametrize("token", ["short", "with a blank " * 3, "ö" * 40, "x" * 257])
def test_a_token_that_nobody_could_send_is_a_fault_that_does_not_repeat_it(house, monkeypatch, token):
    monkeypatch.setenv("APP_TOKEN", token)
    faults = house.faults()
    assert list(faults) == ["web.presser[0].token"]
    assert "openssl rand -hex 32" in faults["web.presser[0].token"]
    assert token not in str(faults)


def test_two_machines_with_one_token_are_a_fault_for_one_would_be_taken_for_the_other(house):
    house.add(PRESSER.replace("[web]", "").replace('"app"\ntoken', '"terminals"\ntoken'))
    house.replace('addresses = "centre"', 'addresses = "centre"\nstatus_token = {env = "APP_TOKEN"}')

    faults = house.faults()

    assert sorted(faults) == ["psap[0].status_token", "web.presser[1].token"]
    assert all("another machine has the same token" in each for each in faults.values())
    assert TOKEN not in str(faults)


def test_a_centre_whose_system_may_speak_has_a_token(house):
    house.replace('addresses = "centre"', 'addresses = "centre"\nstatus_token = {env = "OTHER_TOKEN"}')
    assert house.load().psap[0].status_token.read() == TOKEN[::-1]


def test_a_centre_s_token_is_one_that_can_be_sent(house, monkeypatch):
    monkeypatch.setenv("CENTRE_TOKEN", "short")
    house.replace('addresses = "centre"', 'addresses = "centre"\nstatus_token = {env = "CENTRE_TOKEN"}')
    assert list(house.faults()) == ["psap[0].status_token"]


def test_a_centre_s_token_needs_a_door(tmp_path, monkeypatch):
    monkeypatch.setenv("APP_TOKEN", TOKEN)
    house = House(tmp_path)
    house.replace('addresses = "centre"', 'addresses = "centre"\nstatus_token = {env = "APP_TOKEN"}')
    assert "add a table [web]" in house.faults()["psap[0].status_token"]
