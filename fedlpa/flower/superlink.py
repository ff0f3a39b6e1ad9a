"""``python -m fedlpa.flower.superlink PARENT ...``: Flower's SuperLink, mended, ended when its parent ends."""

from fedlpa.federation.server_config import ServerConfig
from fedlpa.flower.processes import become


def superlink_arguments(config: ServerConfig) -> list[str]:
    """What ``flower-superlink`` is started with."""
    arguments = [
        *("--ssl-ca-certfile", str(config.ca)),
        *("--ssl-certfile", str(config.certificate)),
        *("--ssl-keyfile", str(config.key)),
        "--enable-supernode-auth",
        *("--fleet-api-address", f"{_bracketed(config.host)}:{config.port}"),
        *("--host", "127.0.0.1"),
        *("--port", str(config.control_port)),
        *("--database", str(config.database)),
        "--disable-runtime-dependency-installation",
    ]
    if config.health_port is not None:
        arguments += ["--health-server-address", f"127.0.0.1:{config.health_port}"]
    return arguments


def main() -> None:
    """Run ``flower-superlink`` with the arguments that follow the parent's process id."""
    become("flower-superlink")
    from flwr.superlink.cli.flower_superlink import flower_superlink

    from fedlpa.flower.patches.lost_messages import give_lost_messages_again

    give_lost_messages_again()
    flower_superlink()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    main()
