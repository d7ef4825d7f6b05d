"""``onetouch keys`` with an HSM: the wrapping key is made there, the key file moves in and out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from telephony.cli.audited import write_entry
from telephony.cli.echo import echo
from telephony.cli.options import config_option, load_or_exit
from telephony.cli.registry import OpenRegistry, open_registry
from telephony.cli.second_person import Act

if TYPE_CHECKING:
    from telephony.settings import Settings
    from telephony.store.keys.hsm import Hsm


def the_hsm(settings: Settings) -> Hsm:
    """Return the HSM of the settings, or end the command."""
    from telephony.settings.key_files import hsm_of  # noqa: PLC0415 - not needed for --help

    hsm = hsm_of(settings)
    if hsm is None:
        raise click.ClickException(
            "store.key_hsm is not set: say there which module, token, pin and key are to be used"
        )
    return hsm


def make_wrapped(settings: Settings) -> bool:
    """Make a wrapping key in the HSM and the key file under it; False where a file is there already."""
    from telephony.domain.errors import OnetouchError  # noqa: PLC0415 - not needed for --help
    from telephony.settings.key_files import key_file_of  # noqa: PLC0415

    if settings.key_file.exists():
        return False
    try:
        return key_file_of(settings).make(wrapping_key=the_hsm(settings).make_key())
    except OnetouchError as error:
        raise click.ClickException(str(error)) from error


@click.command("move-into-hsm")
@config_option
def move_into_hsm(config: Path) -> None:
    """Have the HSM of [store.key_hsm] wrap the key file, with a key that is made there and never leaves it.

    The daemons may be running: they go on with the keys in memory. What the HSM gives back is compared before the file is
    changed; then no copy in plain is left beside it or in state_dir. Backups in plain that were made before are yours to
    destroy. Done already, it only takes such copies away.

    \b
    Example:
      onetouch keys move-into-hsm --config /etc/onetouch/onetouch.toml

    Exit codes: 0 wrapped, now or before; 1 not, as is said; 2 wrong settings.
    """
    settings = load_or_exit(config)
    hsm = the_hsm(settings)
    with open_registry(settings) as opened:
        opened.key_file.ring()
        if opened.key_file.wrapped is not None:
            _wipe_earlier(opened)
            echo(f"{settings.key_file} is wrapped already; no copy in plain is beside it", err=True)
            return
        _audit(opened, "onetouch keys move-into-hsm")
        _wrap(opened, hsm)


def rotate_wrapping_key(settings: Settings) -> None:
    """Make another wrapping key in the HSM and wrap the same keys with it."""
    hsm = the_hsm(settings)
    with open_registry(settings) as opened:
        opened.key_file.ring()
        before = opened.key_file.wrapped
        if before is None:
            raise click.ClickException(
                f"{settings.key_file} is not wrapped: `onetouch keys move-into-hsm` does it"
            )
        _audit(opened, f"onetouch keys rotate --hsm, from wrapping key {before.key_id}")
        _wrap(opened, hsm)
        echo(
            f"wrapping key {before.key_id} opens backups of before: delete it in the HSM when they are gone",
            err=True,
        )


@click.command("move-out-of-hsm")
@config_option
def move_out_of_hsm(config: Path) -> None:
    """Write the key file in plain, as it is without an HSM. Take [store.key_hsm] out of the settings afterwards.

    With [audit] second_person a second account has to approve it: onetouch audit approve keys-out --for UID.

    \b
    Example:
      onetouch keys move-out-of-hsm --config /etc/onetouch/onetouch.toml

    Exit codes: 0 in plain, now or before; 1 not, as is said; 2 wrong settings.
    """
    settings = load_or_exit(config)
    with open_registry(settings) as opened:
        opened.key_file.ring()
        if opened.key_file.wrapped is None:
            echo(f"{settings.key_file} is in plain already", err=True)
            return
        _audit(opened, "onetouch keys move-out-of-hsm", Act.KEYS_OUT)
        try:
            opened.key_file.move_out_of_hsm()
        except OSError as error:
            raise click.ClickException(f"{settings.key_file}: {error.strerror}") from error
    echo(
        f"{settings.key_file} is in plain: back it up apart from the store; its wrapping key is in the HSM still"
    )


def _wrap(opened: OpenRegistry, hsm: Hsm) -> None:
    path = opened.settings.key_file
    key_id = hsm.make_key()
    try:
        opened.key_file.move_into_hsm(key_id, opened.settings.service.state_dir)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    echo(f'{path} is wrapped by key {key_id}, "{hsm.label}" in the HSM token "{hsm.token}": back up both')


def _wipe_earlier(opened: OpenRegistry) -> None:
    try:
        opened.key_file.wipe_earlier(opened.settings.service.state_dir)
    except OSError as error:
        raise click.ClickException(
            f"a copy beside {opened.settings.key_file} cannot be removed: {error.strerror}"
        ) from error


def _audit(opened: OpenRegistry, why: str, act: Act | None = None) -> None:
    from telephony.domain.audit import KEYS_MOVED  # noqa: PLC0415 - not needed for --help

    write_entry(opened.settings, opened.writing, KEYS_MOVED, "", why, act=act)
