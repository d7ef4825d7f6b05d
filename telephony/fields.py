"""Building blocks of the settings' tables: frozen models, common field types, secrets that are named and never written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Table(BaseModel):
    """A table of the TOML file: frozen, and an unknown key in it is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    earlier_keys: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Keys that an earlier release knew, and what stands for each now."""


@dataclass(frozen=True, slots=True)
class Says:
    """The words by which an operator is told what a field may hold, where its pattern is not for people to read."""

    words: str


class Secret(Table):
    """A secret by its place: ``{env = "NAME"}`` or ``{file = "/path"}``, never the secret itself."""

    env: str | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _names_one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError('name one place: {env = "NAME"} or {file = "/path"}')
        return self

    def read(self) -> str:
        """Return the secret. Raises `LookupError` saying which variable or file to provide."""
        if self.env is not None:
            value = os.environ.get(self.env)
            if value is None:
                raise LookupError(f"set the environment variable {self.env}")
            return value
        assert self.file is not None
        try:
            return self.file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise LookupError(f"provide the file {self.file}: {error.strerror}") from error


class Tls(Table):
    """TLS of one link. Without ``ca_file`` the system's trust store is used; verification is never off."""

    ca_file: Path | None = None
    server_name: str | None = None
    """Name expected in the certificate, where it differs from the host."""
    client_certificate: Path | None = None
    client_key: Path | None = None

    @model_validator(mode="after")
    def _certificate_with_its_key(self) -> Self:
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("give client_certificate and client_key together")
        return self


Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Name = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$"),
    Says("lower-case letters, digits and hyphens, 32 at most"),
]
"""A name that ends up in logs and identifiers: lower case, digits and hyphens, at most 32."""
Digit = Annotated[str, Field(pattern=r"^[0-9]$"), Says("one digit in quotes")]
Phone = Annotated[
    str,
    Field(pattern=r"^\+?[0-9][0-9 -]{0,30}$"),
    Says("a telephone number in quotes: digits, blanks and hyphens, perhaps + in front"),
]
"""A number as people write it, digits with blanks or hyphens."""
Dialled = Annotated[
    str,
    Field(pattern=r"^\+?[0-9]{1,24}$"),
    Says("a number in quotes: digits, perhaps + in front, 24 at most"),
]
Endpoint = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9-]{1,64}$"),
    Says("an endpoint of pjsip.conf in quotes: letters, digits and hyphens, 64 at most"),
]
"""An endpoint of Asterisk's ``pjsip.conf``."""
