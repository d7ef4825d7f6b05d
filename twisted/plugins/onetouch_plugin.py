"""Announces ``twistd onetouch``. Read by every twistd on this machine, so it imports nothing of ours."""  # noqa: INP001 - a folder of plugins must not be a package (twisted.plugin)

from twisted.application.service import ServiceMaker

onetouch = ServiceMaker(
    "onetouch",
    "telephony.cli.twistd",
    "One-touch SOS: the telephony and SMS server behind the emergency key of a basic phone.",
    "onetouch",
)
