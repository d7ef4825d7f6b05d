"""``python -m telephony`` is the ``onetouch`` command."""

from __future__ import annotations

from telephony.cli import main

main()
