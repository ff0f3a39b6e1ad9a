"""``python -m fedlpa.flower.supernode PARENT ...``: Flower's SuperNode, mended, ended when its parent ends."""

import os

from client_app.site import SITE_CONFIG
from client_app.site_config import SiteConfig
from fedlpa.flower.processes import become

SECRET = "runtime.secret"
"""File in the site's state folder: whoever fetches work from the SuperNode has to know what is in it."""


def supernode_arguments(config: SiteConfig, port: int) -> list[str]:
    """What ``flower-supernode`` is started with."""
    return [
        *("--superlink", config.server),
        *("--root-certificates", str(config.ca)),
        *("--auth-supernode-private-key", str(config.key)),
        *("--node-config", f'{SITE_CONFIG}="{config.source}"'),
        *("--isolation", "process"),
        *("--superexec-auth-secret-file", str(config.state / SECRET)),
        *("--host", "127.0.0.1"),
        *("--port", str(port)),
    ]


def main() -> None:
    """Run ``flower-supernode`` with the arguments that follow the parent's process id."""
    os.umask(0o077)  # what it leaves is the site's alone
    become("flower-supernode")
    from flwr.supernode.cli.flower_supernode import flower_supernode

    from fedlpa.flower.patches.abandoned_messages import forget_abandoned_messages
    from fedlpa.flower.patches.heartbeat_touch import touch_when_heard

    forget_abandoned_messages()
    touch_when_heard()
    flower_supernode()


if __name__ == "__main__":
    main()
