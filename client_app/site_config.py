"""``site.toml``: what an institution says about itself. It belongs to the institution; the server never sees it."""

import re
from pathlib import Path

from pydantic import BaseModel, Field, field_validator
from pydantic_core import PydanticKnownError

from common.settings import SiteOptions
from common.toml_file import FileSettings, PathBeside, check_settings, read_toml

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"


class Limits(BaseModel):
    """What one message may cost a site. A run that is described to cost more cannot be approved."""

    max_seconds: float = Field(6 * 3600.0, gt=0, description="longest work on one message, in seconds")
    max_memory: float | None = Field(
        None, gt=0, description="GiB that the working process may take; unset: three quarters of the machine's"
    )
    max_message_bytes: int = Field(2**30, ge=1, description="largest message of the server that is read, in bytes")
    max_epochs: int = Field(100, ge=1, description="most local-epochs that a run may ask for")
    max_image_size: int = Field(1024, ge=4, description="largest images that a run may ask for, in pixels square")


class SiteConfig(SiteOptions, Limits, FileSettings):
    """One institution's configuration; in the file, paths are relative to its folder."""

    name: str = Field(pattern=f"^{NAME}$")
    server: str = Field(min_length=1, description="host:port of the federation's server")
    data: PathBeside
    state: PathBeside = Path("state")
    policy: PathBeside = Path("policy.yaml")
    ca: PathBeside = Path("ca.crt")
    key: PathBeside = Path("site.key")
    run: PathBeside = Path("run.toml")
    approved_run: str = Field("", pattern="^([0-9a-f]{64})?$")
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

    @field_validator("data", mode="before")
    @classmethod
    def _is_given(cls, value: object) -> object:
        if value == "":
            raise PydanticKnownError("string_too_short", {"min_length": 1})
        return value

    @property
    def own(self) -> SiteOptions:
        """What only the site can know of the run: its label column, its device, what it holds out."""
        return SiteOptions.model_validate(self.model_dump(include=set(SiteOptions.model_fields)))


def load_site_config(path: Path) -> SiteConfig:
    """Read a ``site.toml``.

    Raises:
        InputError: missing, or a setting that does not fit.
    """
    path = path.absolute()
    return check_settings(SiteConfig, read_toml(path), path)
