"""``onetouch cap``: what 112 gets from us, for those who build or connect a centre."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from telephony.cli.echo import echo, echo_json
from telephony.cli.options import EXIT_FAILED, config_option, load_or_exit

if TYPE_CHECKING:
    from telephony.psap.parameters import Parameter
    from telephony.psap.sample_sending import Attempt
    from telephony.psap.samples import Sample
    from telephony.psap.settings import CapHttpChannel, Psap
    from telephony.settings import Settings

_SAMPLE_SENDER = "onetouch.example"
_SAMPLE_ADDRESSES = "112.seoul.example"


@click.group(short_help="Samples of the reports to 112; their parameters.")
def cap() -> None:
    """See what 112 gets, and try whether a centre takes it. docs/cap.md is the contract.

    \b
    Examples:
      onetouch cap parameters --json
      onetouch cap sample /tmp/samples
      onetouch cap send-sample 112-seoul --config /etc/onetouch/onetouch.toml
    """


@cap.command("sample")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--language", type=click.Choice(["ko", "en"]), default="ko", show_default=True)
def sample_(folder: Path, language: Literal["ko", "en"]) -> None:
    """Write the samples into FOLDER, a file each, numbered in the order in which a centre would get them.

    An alert, updates with a position, with a person, of a call, a closing, a cancelled false alarm, a drill, a heartbeat. Each
    says in status, headline and instruction that it is a test. All of it is invented, and the same at every run.

    \b
    Exit codes: 0 written, 1 a file cannot be written or is there already, 2 wrong options.
    \b
    Example:
      onetouch cap sample /tmp/samples --language en
    """
    from telephony.psap.samples import DOCUMENTED, DOCUMENTED_AT, samples  # noqa: PLC0415 - not needed for --help

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, each in enumerate(samples(DOCUMENTED_AT, DOCUMENTED), start=1):
            path = folder / f"{number}-{each.name}.xml"
            with path.open("xb") as file:
                file.write(_plain(each, language))
            echo(str(path))
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}; name a new folder") from error


def _plain(sample: Sample, language: Literal["ko", "en"]) -> bytes:
    """Return a sample as the document shows it."""
    from datetime import timedelta, timezone  # noqa: PLC0415 - not needed for --help

    seoul = timezone(timedelta(hours=9))
    return sample.encoded(sender=_SAMPLE_SENDER, addresses=_SAMPLE_ADDRESSES, language=language, zone=seoul)


@cap.command("send-sample")
@config_option
@click.argument("target", metavar="CENTRE|CHANNEL")
@click.option("--dry-run", is_flag=True, help="Print the documents instead of sending them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def send_sample(config: Path, target: str, *, dry_run: bool, as_json: bool) -> None:
    """Send the samples to a centre of the settings, by each of its channels by data, or by one CHANNEL.

    They go as the daemon's reports go: to the same URL, with the same TLS and authorization, language and sender. Each is sent
    once, one after the other, under names that no earlier run had. Each has status Test; the incidents begin with sample-. The
    daemon is not asked and need not run. After a sample that got no answer at all the rest of that channel are not sent.

    A line for each: the channel, the sample, the HTTP status, the time it took, and what the daemon would make of the answer
    (delivered; retry: it would send it again; rejected: given up).

    \b
    Exit codes: 0 all were delivered (or printed), 1 not all were, or a secret or a file of TLS cannot be used,
      2 the settings have faults, or name no such centre or channel.
    \b
    Example:
      onetouch cap send-sample 112-seoul-a --dry-run
      onetouch cap send-sample 112-seoul --config /etc/onetouch/onetouch.toml
    """
    if dry_run and as_json:
        raise click.UsageError("--dry-run prints XML; leave --json out")
    from telephony.settings import Needs  # noqa: PLC0415 - pydantic is not needed for --help

    settings = load_or_exit(config, Needs.TABLES)
    ways = _ways(settings, target)
    if dry_run:
        for psap, channel in ways:
            for each in _samples_now(settings, channel):
                document = each.encoded(
                    sender=psap.sender,
                    addresses=psap.addresses,
                    language=psap.language,
                    zone=settings.service.zone,
                )
                echo(*document.decode().splitlines())
        return
    results = _sent(settings, ways)
    if as_json:
        for name, attempt in results:
            echo_json(plain_attempt(name, attempt))
    else:
        _tell(results)
    from telephony.psap.sample_sending import Made  # noqa: PLC0415 - not needed for --help

    if any(attempt.made is not Made.DELIVERED for _, attempt in results):
        raise SystemExit(EXIT_FAILED)


@cap.command("parameters")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@click.option("--language", type=click.Choice(["ko", "en"]), default="ko", show_default=True)
def parameters_(language: Literal["ko", "en"], *, as_json: bool) -> None:
    """List every parameter that a report or a heartbeat can have: name, type, unit, words that it can hold, meaning.

    It is the list by which this release writes them. A centre must accept parameters that it does not know: a later release
    may have more. docs/cap.md says more of each.

    \b
    Exit codes: 0 listed, 2 wrong options.
    \b
    Example:
      onetouch cap parameters --language en
      onetouch cap parameters --json > parameters.jsonl
    """
    from telephony.psap.parameters import Parameter  # noqa: PLC0415 - not needed for --help

    if as_json:
        for each in Parameter:
            echo_json(plain_parameter(each))
        return
    width = max(len(each.value_name) for each in Parameter)
    for each in Parameter:
        meaning = each.value
        kind = f"{meaning.type} ({meaning.unit})" if meaning.unit else str(meaning.type)
        words = f": {', '.join(meaning.values)}{' …' if meaning.is_open else ''}" if meaning.values else ""
        said = meaning.ko if language == "ko" else meaning.en
        echo(f"{each.value_name.ljust(width)}  {said}", f"{'':{width}}  {kind}{words}")


def plain_parameter(parameter: Parameter) -> dict[str, Any]:
    """Return a parameter as JSON can say it."""
    meaning = parameter.value
    return {
        "name": meaning.name,
        "document": str(meaning.document),
        "type": str(meaning.type),
        "unit": meaning.unit or None,
        "values": list(meaning.values),
        "is_open": meaning.is_open,
        "repeats": meaning.repeats,
        "ko": meaning.ko,
        "en": meaning.en,
        "since": meaning.since,
    }


def _ways(settings: Settings, target: str) -> list[tuple[Psap, CapHttpChannel]]:
    """Return the channels by data that a name stands for."""
    every = [(psap, channel) for psap in settings.psap for channel in psap.data_channels]
    found = [(psap, channel) for psap, channel in every if target in (psap.name, channel.name)]
    if not found:
        names = ", ".join(
            dict.fromkeys(name for psap, channel in every for name in (psap.name, channel.name))
        )
        raise click.BadParameter(
            f"no centre or channel by data is called {target}; the names are: {names}",
            param_hint="CENTRE|CHANNEL",
        )
    return found


def _samples_now(settings: Settings, channel: CapHttpChannel) -> Sequence[Sample]:
    from datetime import UTC, datetime  # noqa: PLC0415 - not needed for --help

    from telephony.psap.samples import LASTS, Names, samples  # noqa: PLC0415

    now = datetime.now(UTC)
    names = Names.numbered(f"sample-{now:%Y%m%dT%H%M%S}-{channel.name}")
    return samples(now - LASTS, names, service=settings.service.name, channel=channel.name)


def _sent(settings: Settings, ways: list[tuple[Psap, CapHttpChannel]]) -> list[tuple[str, Attempt]]:
    """Send all of them on the real reactor, and return what came of each."""
    # This is the door through which the real reactor comes in; it is handed on as a parameter.
    from twisted.internet import reactor as installed  # noqa: PLC0415 - importing it installs it
    from twisted.internet.defer import Deferred  # noqa: PLC0415
    from twisted.python.failure import Failure  # noqa: PLC0415

    reactor: Any = installed
    outcomes: list[Any] = []

    def begin() -> None:
        sending = Deferred.fromCoroutine(sent_by(reactor, settings, ways))
        sending.addBoth(outcomes.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    (outcome,) = outcomes or [Failure(SystemExit(EXIT_FAILED))]
    if isinstance(outcome, Failure):
        if outcome.check(LookupError, ValueError, OSError):
            raise click.ClickException(str(outcome.value)) from outcome.value
        outcome.raiseException()
    found: list[tuple[str, Attempt]] = outcome
    return found


async def sent_by(
    reactor: Any, settings: Settings, ways: Sequence[tuple[Psap, CapHttpChannel]]
) -> list[tuple[str, Attempt]]:
    """Send the samples by each of these channels, one channel after the other.

    Raises `LookupError`, `ValueError` or `OSError` for a secret or a file of TLS that cannot be used, with words for a person.
    """
    from telephony.alarms import Alarms  # noqa: PLC0415 - not needed for --help

    class Unsaid(Alarms):
        """The alarms of a trial: its table says what came of it."""

        def raise_(self, name: str, about: str, **facts: Any) -> None:
            """Leave it to the table."""

    from telephony.psap.client import CapHttpSender  # noqa: PLC0415
    from telephony.psap.sample_sending import ObservedClient, attempts  # noqa: PLC0415

    senders: list[tuple[CapHttpChannel, CapHttpSender, ObservedClient]] = []
    for psap, channel in ways:
        authorization = None if channel.authorization is None else channel.authorization.read()
        http = ObservedClient(reactor, tls=channel.tls, connections=1)
        sender = CapHttpSender(
            channel, psap, http, authorization, alarms=Unsaid(reactor), zone=settings.service.zone
        )
        senders.append((channel, sender, http))
    results: list[tuple[str, Attempt]] = []
    for channel, sender, http in senders:
        to_send = _samples_now(settings, channel)
        results += [(channel.name, each) async for each in attempts(to_send, sender, http, reactor)]
        await http.close()
    return results


def _tell(results: list[tuple[str, Attempt]]) -> None:
    rows = [("CHANNEL", "SAMPLE", "STATUS", "TIME", "MADE OF IT", "")]
    rows += [
        (
            channel,
            each.sample.name,
            "-" if each.status is None else str(each.status),
            "-" if each.took_ms is None else f"{each.took_ms:.0f} ms",
            str(each.made),
            each.reason,
        )
        for channel, each in results
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        echo("  ".join(cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)).rstrip())


def plain_attempt(channel: str, attempt: Attempt) -> dict[str, Any]:
    """Return what came of a sample as JSON can say it."""
    return {
        "channel": channel,
        "sample": attempt.sample.name,
        "identifier": attempt.sample.identifier,
        "status": attempt.status,
        "took_ms": None if attempt.took_ms is None else round(attempt.took_ms, 1),
        "made": str(attempt.made),
        "reason": attempt.reason,
    }
