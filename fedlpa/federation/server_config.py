"""``server.toml``: where the server listens and keeps its things."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from common.toml_file import FileSettings, beside, check_settings, read_toml


class ServerSettings(FileSettings):
    """The keys of ``server.toml``; paths as written."""

    host: str = Field("0.0.0.0", min_length=1, description="address to listen on for sites")
    port: int = Field(9092, ge=1, le=65535, description="port that sites connect to")
    control_port: int = Field(9091, ge=1, le=65535, description="port for 'fedlpa run', on this machine only")
    health_port: int | None = Field(None, ge=1, le=65535, description="gRPC health checks, on this machine only")
    certificate: str = "server.crt"
    key: str = "server.key"
    ca: str = "ca.crt"
    sites: str = Field("sites", description="folder of the sites' public keys, <name>.pub")
    state: str = Field("state", description="folder of the log and of Flower's files")
    database: str = "state/superlink.db"


@dataclass(frozen=True)
class ServerConfig:
    """A server's configuration with absolute paths."""

    source: Path
    host: str
    port: int
    control_port: int
    health_port: int | None
    certificate: Path
    key: Path
    ca: Path
    sites: Path
    state: Path
    database: Path

    @property
    def control(self) -> str:
        """Where ``fedlpa run`` reaches the SuperLink; never open to other machines."""
        return f"127.0.0.1:{self.control_port}"


def load_server_config(path: Path) -> ServerConfig:
    """Read a ``server.toml``.

    Raises:
        InputError: missing, or a setting that does not fit.
    """
    path = path.absolute()
    settings = check_settings(ServerSettings, read_toml(path), path)
    return ServerConfig(
        source=path,
        host=settings.host,
        port=settings.port,
        control_port=settings.control_port,
        health_port=settings.health_port,
        certificate=beside(path, settings.certificate),
        key=beside(path, settings.key),
        ca=beside(path, settings.ca),
        sites=beside(path, settings.sites),
        state=beside(path, settings.state),
        database=beside(path, settings.database),
    )
