"""``python -m fedlpa.flower_child PARENT PROGRAM ...``: one of Flower's programs, ended when its parent ends."""

import sys


def main() -> None:
    """Run ``flower-superlink`` or ``flower-supernode`` with the rest of the arguments."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    from flwr.supercore.app_utils import start_parent_process_monitor

    start_parent_process_monitor(parent)
    sys.argv = [program, *sys.argv[3:]]
    if program == "flower-superlink":
        from flwr.superlink.cli.flower_superlink import flower_superlink

        flower_superlink()
    elif program == "flower-supernode":
        from flwr.supernode.cli.flower_supernode import flower_supernode

        flower_supernode()
    else:
        sys.exit(f"unknown program {program!r}")


if __name__ == "__main__":
    main()
