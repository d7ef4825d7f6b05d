"""Asks the silence policy whether something of ours may reach a phone now, by its number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from telephony.domain.silence import Output, Silenced, may_reach
from telephony.domain.values import Msisdn
from telephony.store.database import Database
from telephony.store.silence import is_silenced


class SilenceGuard:
    """Stands before every way to a phone. Nothing is remembered: she may have pressed a moment ago.

    ``is_ahead_of_the_store`` claims of a phone that it has pressed, and that the store does not know of it yet.
    """

    def __init__(
        self,
        database: Database,
        *,
        neutral_texts: AbstractSet[str] = frozenset(),
        is_ahead_of_the_store: Callable[[Msisdn], bool] = lambda _: False,
    ) -> None:
        self._database = database
        self._neutral_texts = neutral_texts
        self._is_ahead_of_the_store = is_ahead_of_the_store

    async def may_reach(
        self, numbers: Sequence[Msisdn] | Msisdn, output: Output, text: str | None = None
    ) -> Silenced | None:
        """Return ``None`` where the output may reach these phones, all of them one person's; otherwise why not.

        Raises `Unavailable` where this cannot be known: then nothing is sent, and the asker tries again. A text can wait;
        silence cannot be repaired.
        """
        asked = [numbers] if isinstance(numbers, Msisdn) else list(numbers)
        is_held = any(map(self._is_ahead_of_the_store, asked)) or await self._database.read(
            is_silenced, asked
        )
        return may_reach(output, silence_lifted=not is_held, text=text, neutral_texts=self._neutral_texts)
