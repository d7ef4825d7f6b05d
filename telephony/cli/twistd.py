"""Runs the same daemon under ``twistd``, for sites that run everything that way."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from twisted.application.service import IService
from twisted.python import usage

from telephony import logs
from telephony.assembly.alone import RunsAlready, stay_alone
from telephony.assembly.daemon import assemble
from telephony.service import MultiService
from telephony.settings import Settings, SettingsFaults, load


class Options(usage.Options):
    """``twistd -n onetouch --config FILE``."""

    optParameters = [["config", "c", "config/onetouch.toml", "The settings file."]]  # noqa: N815, RUF012 - Twisted's own name and shape

    settings: Settings

    def postOptions(self) -> None:  # noqa: N802 - Twisted's own name
        """Load the settings while a fault can still be told as a usage error."""
        try:
            self.settings = load(Path(self["config"]))
        except SettingsFaults as faults:
            raise usage.UsageError(str(faults)) from faults


class Onetouch(MultiService):
    """Assembles the daemon when it is started, which is after twistd has become a daemon itself.

    Threads that were begun before (of the log, of the store) would not survive that.
    """

    def __init__(self, settings: Settings, reactor: Any) -> None:
        super().__init__()
        self._settings = settings
        self._reactor = reactor

    def privilegedStartService(self) -> None:  # noqa: N802 - Twisted's own name
        """Take over the logs and the folder, then assemble."""
        logs.configure(self._settings.log, is_under_twistd=True)
        try:
            stay_alone(self._settings.service.state_dir)
        except RunsAlready as error:
            raise SystemExit(f"onetouch {error} on {self._settings.service.state_dir}") from error
        daemon: Any = assemble(self._settings, self._reactor)
        daemon.setServiceParent(self)
        super().privilegedStartService()


def makeService(options: Options) -> IService:  # noqa: N802 - Twisted's own name
    """Return twistd the service."""
    from twisted.internet import reactor  # noqa: PLC0415 - twistd has installed it by now

    return cast("IService", Onetouch(options.settings, reactor))
