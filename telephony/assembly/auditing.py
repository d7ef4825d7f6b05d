"""The audit chain, as a part."""

from __future__ import annotations

from telephony.assembly.part import Ground, Part
from telephony.assembly.store import StorePart
from telephony.services.audit import Audit


class AuditPart(Part):
    """The audit chain, named outside the store."""

    def __init__(self, ground: Ground, store: StorePart) -> None:
        super().__init__()
        self.audit = Audit(store.database, clock=ground.clock, alarms=ground.alarms)
        self.add(self.audit)
