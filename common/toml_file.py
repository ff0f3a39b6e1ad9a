"""Reading a TOML file into a frozen settings object; unknown keys are refused and the nearest known one is named."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PrivateAttr, ValidationError, ValidationInfo
from pydantic_core import PydanticKnownError

from common.errors import InputError, nearest
from common.settings import kebab


class FileSettings(BaseModel):
    """Base of the objects that configuration files are read into: kebab-case keys, frozen, closed."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=kebab, populate_by_name=True, validate_default=True
    )

    _source: Path = PrivateAttr(Path())

    def model_post_init(self, context: Any) -> None:
        """Keep the path of the file, which ``check_settings`` passes on."""
        self._source = context or Path()

    @property
    def source(self) -> Path:
        """The file that the settings were read from."""
        return self._source


def _resolve(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path):  # the defaults are paths
        raise PydanticKnownError("string_type")
    return beside(info.context or Path(), value)


PathBeside = Annotated[Path, BeforeValidator(_resolve)]
"""A path as an absolute one; as written, it is relative to the folder of the file."""


S = TypeVar("S", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        InputError: missing, unreadable, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; name the file with --config.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); mend its permissions or encoding.") from None
    except RecursionError:
        raise InputError(f"{path} is nested too deeply to be settings; restore it or write it again.") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML ({error}); mend that line.") from None


def check_settings(model: type[S], values: Any, source: Path) -> S:
    """``values``, which stand in the file ``source``, as a ``model``.

    Raises:
        InputError: an unknown or missing key, or a value that does not fit; names ``source``.
    """
    if not isinstance(values, dict):
        raise InputError(f"{source} does not hold settings; write one 'key = value' a line.")
    known = {field.alias or name for name, field in model.model_fields.items()}
    for key in values:
        if key not in known:
            raise InputError(f"unknown setting '{key}' in {source}; {nearest(str(key), known)}")
    try:
        return model.model_validate(values, context=source)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(kebab(str(part)) for part in first["loc"])
        if first["type"] == "missing":
            raise InputError(f"setting '{place}' is missing in {source}; add it.") from None
        message = str(first["msg"]).removeprefix("Value error, ")
        if not place:  # settings that do not go together
            raise InputError(f"{source} is not valid: {message[0].lower() + message[1:]}; mend one of them.") from None
        raise InputError(
            f"setting '{place}' in {source} is not valid: {message[0].lower() + message[1:]}; mend the value."
        ) from None


def beside(source: Path, value: str | Path) -> Path:
    """``value`` as a path; relative ones are relative to the folder of ``source``."""
    return (source.parent / Path(value).expanduser()).absolute()
