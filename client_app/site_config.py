"""``site.toml``: what an institution says about itself. It belongs to the institution; the server never sees it."""

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, field_validator

from common.settings import SiteOptions
from common.toml_file import FileSettings, beside, check_settings, read_toml

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"


class SiteSettings(SiteOptions, FileSettings):
    """The keys of ``site.toml``; paths as written."""

    name: str = Field(pattern=f"^{NAME}$")
    server: str = Field(min_length=1, description="host:port of the federation's server")
    data: str = Field(min_length=1)
    state: str = "state"
    policy: str = "policy.yaml"
    ca: str = "ca.crt"
    key: str = "site.key"
    approved_app: str = Field("", pattern="^([0-9a-f]{64})?$")

    @field_validator("server")
    @classmethod
    def _has_port(cls, value: str) -> str:
        if (
            not re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[^\s:/\[\]]+):\d{1,5}", value)
            or int(value.rpartition(":")[2]) > 65535
        ):
            raise ValueError("write it as host:port, for example fl.example.org:9092")
        return value


@dataclass(frozen=True)
class SiteConfig:
    """One institution's configuration with absolute paths; ``source`` is the file it came from."""

    source: Path
    name: str
    server: str
    data: Path
    state: Path
    policy: Path
    ca: Path
    key: Path
    approved_app: str
    own: SiteOptions
    """What only the site can know of the run: its label column, its device, what it holds out."""


def load_site_config(path: Path) -> SiteConfig:
    """Read a ``site.toml``.

    Raises:
        InputError: missing, or a setting that does not fit.
    """
    path = path.absolute()
    settings = check_settings(SiteSettings, read_toml(path), path)
    return SiteConfig(
        source=path,
        name=settings.name,
        server=settings.server,
        data=beside(path, settings.data),
        state=beside(path, settings.state),
        policy=beside(path, settings.policy),
        ca=beside(path, settings.ca),
        key=beside(path, settings.key),
        approved_app=settings.approved_app,
        own=SiteOptions.model_validate(settings.model_dump(include=set(SiteOptions.model_fields))),
    )
