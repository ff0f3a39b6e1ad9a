"""The site's own log file: reasons and tracebacks stay at the site."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import InputError


@contextmanager
def log_to_site(folder: Path) -> Iterator[None]:
    """Append what is logged meanwhile under ``fedlpa.site`` to ``folder/site.log``, exceptions included."""
    folder.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger("fedlpa.site")
    handler = logging.FileHandler(folder / "site.log", encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    except InputError as error:
        logger.error("%s", error)
        raise
    except Exception:
        logger.exception("the round failed")
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()
