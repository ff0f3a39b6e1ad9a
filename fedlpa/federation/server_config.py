"""``server.toml``: where the server listens and keeps its things."""

from pathlib import Path

from pydantic import Field

from common.toml_file import FileSettings, PathBeside, check_settings, read_toml


class ServerConfig(FileSettings):
    """A server's configuration; in the file, paths are relative to its folder."""

    host: str = Field("0.0.0.0", min_length=1, description="address to listen on for sites")
    port: int = Field(9092, ge=1, le=65535, description="port that sites connect to")
    control_port: int = Field(9091, ge=1, le=65535, description="port for 'fedlpa run', on this machine only")
    health_port: int | None = Field(None, ge=1, le=65535, description="gRPC health checks, on this machine only")
    certificate: PathBeside = Path("server.crt")
    key: PathBeside = Path("server.key")
    ca: PathBeside = Path("ca.crt")
    sites: PathBeside = Field(Path("sites"), description="folder of the sites' public keys, <name>.pub")
    state: PathBeside = Field(Path("state"), description="folder of the log and of Flower's files")
    database: PathBeside = Path("state/superlink.db")

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
    return check_settings(ServerConfig, read_toml(path), path)
