"""``fedlpa federation init``: everything that a server and its sites need, one folder each, ready to hand over."""

import ipaddress
import re
import shutil
import tempfile
from pathlib import Path

from client_app.site_config import NAME
from common.config import check_place, make_config
from common.errors import InputError
from common.files import write_text
from common.place import Deployment
from common.run_toml import is_complete, terms_hash
from common.settings import OWN_KEYS, AnyConfig
from fedlpa.federation import config_files
from fedlpa.federation.certificates import write_authority, write_server_certificate, write_site_keys
from fedlpa.flower.pin import installed_hash

HOST = r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"


def init_federation(
    folder: Path,
    host: str,
    sites: tuple[str, ...],
    *,
    port: int = 9092,
    control_port: int = 9091,
    settings: dict[str, str] | None = None,
    data_like: tuple[str, ...] = (),
) -> None:
    """Write certificates, keys and configuration files below ``folder``, which must not exist or be empty.

    ``folder/ca`` holds the authority's key, which only whoever renews certificates needs; ``folder/server`` goes
    to the server, ``folder/sites/<name>`` to the institution. Nothing secret of one is in another's.

    Args:
        host: DNS name or IP address at which sites reach the server.
        sites: names of the institutions.
        port: port that sites reach; ``control_port`` is for this machine.
        settings: of the run, by key, as with ``--set``; those that are a site's own go into every ``site.toml``.
        data_like: data sets like the sites', to fill in kind, shape and seen classes.

    Raises:
        InputError: a name, host or folder that will not do; nothing is written.
    """
    _check(folder, host, sites, port, control_port)
    config = _run_settings(settings or {}, data_like)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        _write(building, host, sites, port, control_port, config)
        building.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def add_site(folder: Path, name: str) -> Path:
    """Write the folder of one more institution and give its public key to the server; returns the folder.

    Raises:
        InputError: the folder is not a federation, or has a site of that name.
    """
    example = next((folder / "sites").glob("*/site.toml"), None)
    if example is None or not (folder / "server" / "sites").is_dir():
        raise InputError(f"{folder} holds no federation; give the folder that 'federation init' made.")
    from client_app.site_config import load_site_config

    _check_names((name,))
    target = folder / "sites" / name
    if target.exists():
        raise InputError(f"{target} already exists; choose another name.")
    target.mkdir(mode=0o700)
    (target / "state").mkdir(mode=0o700)
    like = load_site_config(example)
    write_text(
        target / "site.toml", config_files.site_toml(name, like.server, installed_hash(), like.approved_run, like.own)
    )
    for file in ("policy.yaml", "ca.crt", "run.toml"):
        if (example.parent / file).exists():
            shutil.copyfile(example.parent / file, target / file)
    shutil.copyfile(write_site_keys(target), folder / "server" / "sites" / f"{name}.pub")
    return target


def _check(folder: Path, host: str, sites: tuple[str, ...], port: int, control_port: int) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} already exists; keys are never overwritten, choose another folder.")
    if not re.fullmatch(HOST, host) and not _is_address(host):
        raise InputError(f"--host {host!r} is neither a host name nor an IP address; give the one that sites use.")
    for option, value in (("--port", port), ("--control-port", control_port)):
        if not 1 <= value <= 65535:
            raise InputError(f"{option} {value} is no port; ports are numbers from 1 to 65535.")
    if port == control_port:
        raise InputError(f"--port and --control-port are both {port}; choose two ports.")
    _check_names(sites)


def _check_names(sites: tuple[str, ...]) -> None:
    if not sites:
        raise InputError("--sites names no site; write for example --sites clinic-a,clinic-b.")
    for name in sites:
        if not re.fullmatch(NAME, name):
            raise InputError(f"--sites: {name!r} is not a name; use letters, digits, '-' and '_', at most 63.")
    for name in sites:
        if sites.count(name) > 1:
            raise InputError(f"--sites names '{name}' twice; keep one.")


def _run_settings(settings: dict[str, str], data_like: tuple[str, ...]) -> AnyConfig:
    from common.data.read import ReadOptions, read_dataset

    check_place({key: value for key, value in settings.items() if key not in OWN_KEYS}, Deployment(), "--set")
    config = make_config({**settings, "data": ""})
    names: list[str] = list(config.seen_classes)
    for source in data_like:
        dataset = read_dataset(source, ReadOptions(label_column=config.label_column, image_size=config.image_size))
        if config.kind and (config.kind, config.sample_shape) != (dataset.kind, dataset.sample_shape):
            raise InputError(
                f"--data-like {source} holds {dataset.kind} of shape {dataset.sample_shape}, others "
                f"{config.kind} of shape {config.sample_shape}; a federation needs one form of data."
            )
        config = config.but(kind=dataset.kind, sample_shape=dataset.sample_shape)
        names += [name for name in sorted(dataset.classes) if not settings.get("seen-classes")]
    classes = tuple(sorted(set(names)) if data_like and "seen-classes" not in settings else names)
    from common.models import with_backbone

    return with_backbone(config.but(seen_classes=classes))


def _write(folder: Path, host: str, sites: tuple[str, ...], port: int, control_port: int, config: AnyConfig) -> None:
    for name in ("ca", "server", "server/sites", "sites"):
        (folder / name).mkdir()
    (folder / "ca").chmod(0o700)
    (folder / "server" / "state").mkdir(mode=0o700)
    write_authority(folder / "ca")
    write_server_certificate(folder / "server", folder / "ca", (host,))
    shutil.copyfile(folder / "ca" / "ca.crt", folder / "server" / "ca.crt")
    write_text(folder / "server" / "server.toml", config_files.server_toml(port, control_port))
    write_text(folder / "run.toml", config_files.run_toml(config, len(sites), at_site=False))
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    approved, approved_run = installed_hash(), terms_hash(config) if is_complete(config) else ""
    for name in sites:
        site = folder / "sites" / name
        site.mkdir(mode=0o700)
        (site / "state").mkdir(mode=0o700)
        shutil.copyfile(write_site_keys(site), folder / "server" / "sites" / f"{name}.pub")
        shutil.copyfile(folder / "ca" / "ca.crt", site / "ca.crt")
        write_text(site / "site.toml", config_files.site_toml(name, address, approved, approved_run, config))
        write_text(site / "policy.yaml", config_files.policy_yaml(config))
        write_text(site / "run.toml", config_files.run_toml(config, len(sites), at_site=True))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
