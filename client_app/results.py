"""What a delivered run leaves for the site's people: the model and the predictions, where they always lie."""

import os
import shutil
from pathlib import Path

MODEL = "model"
OWN = ("predictions.parquet", "slot-privacy.json")
"""Files of a run's folder that are results, beside the model."""


def publish_results(run: Path, home: Path) -> None:
    """Copy the results in the folder of a ``run`` to ``home``, each in place of what an earlier run left there."""
    for name in OWN:
        if (run / name).is_file():
            part = home / f".{name}.part"
            shutil.copyfile(run / name, part)
            os.chmod(part, 0o600)
            os.replace(part, home / name)
    if (run / MODEL).is_dir():
        new, old = home / f".{MODEL}.part", home / f".{MODEL}.old"
        for rest in (new, old):
            shutil.rmtree(rest, ignore_errors=True)
        shutil.copytree(run / MODEL, new)
        if (home / MODEL).exists():
            os.replace(home / MODEL, old)
        os.replace(new, home / MODEL)
        shutil.rmtree(old, ignore_errors=True)
