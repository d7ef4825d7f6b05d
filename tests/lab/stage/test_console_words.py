"""The help of the lab's prompt, and its words in two languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len
from twisted.internet import reactor

from telephony.lab.stage.console import Console
from telephony.lab.stage.console_words import WORDS, help_lines
from telephony.lab.stage.echo import Echo, Stopwatch
from telephony.lab.stage.house import House

COLUMNS, ROWS = 80, 24


@pytest.mark.parametrize("language", ["ko", "en"])
def test_help_fits_one_screen_with_its_prompts(language):
    lines = help_lines(WORDS[language])

    assert len(lines) <= ROWS - 2
    assert max(map(cell_len, lines)) < COLUMNS


@pytest.mark.parametrize("language", ["ko", "en"])
def test_help_names_every_command_and_every_trouble_says_what_is_so_now(language, tmp_path):
    house = House(reactor, tmp_path, language=language)
    console = Console(house, Echo(house, print, lambda: COLUMNS), print, lambda: None)
    usages = " ".join(WORDS[language].usages)

    assert [word for verb in console.verbs for word in verb.split() if word not in usages] == []
    troubles = {verb for verb in console.verbs if " " in verb}
    assert troubles == WORDS[language].troubles.keys()


def test_times_count_from_the_press_of_the_phone_that_an_event_is_about():
    watch = Stopwatch()
    assert watch.ms(1.0) is None

    watch.press("1", 10.0)
    watch.press("2", 20.0)
    watch.belongs("sos-1", "1")

    assert watch.ms(20.5, "sos-1") == 10_500.0
    assert watch.ms(20.5, "sos-of-nobody") == 500.0
    assert watch.ms(19.9) is None, "it was before that press"


def test_the_page_about_the_lab_shows_the_help_as_it_is():
    page = Path(__file__).parents[3] / "docs" / "lab.md"

    assert "\n".join(help_lines(WORDS["en"])) in page.read_text()
