"""Read ``compat.toml`` and tell all its mistakes in one go.

::

    ConfigError     every problem of one file, each with its key path and the way out
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from compat.config.schema import Config, ModelConfig
from compat.errors import UserError

FILE_NAME = "compat.toml"
_BUILTIN_PREFIXES = ("builtin:", "hf:", "pypi:", "npm:")


class ConfigError(UserError):
    """The configuration or the call is wrong; the text lists every problem found."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        noun = "problem" if len(problems) == 1 else "problems"
        super().__init__(f"{path}: {len(problems)} {noun}\n" + "\n".join(problems))
        self.path = path
        self.problems = tuple(problems)


def find_config(given: Path | None, start: Path) -> Path:
    """Return the configuration file to use: the one given, else the one in `start`.

    Raises:
        ConfigError: there is none.
    """
    path = given if given is not None else start / FILE_NAME
    if not path.is_file():
        way_out = "name one with --config FILE" if given is None else "check the path"
        raise ConfigError(path, [f"  there is no such file; {way_out}"])
    return path


def load_config(path: Path, *, sources: bool = True) -> Config:
    """Read and check a configuration file.

    Args:
        path: the file.
        sources: look whether the ONNX files that it names are there; a merge does not need them.

    Raises:
        ConfigError: it cannot be read or holds mistakes; all of them are listed, each with the
            path of its key and, for an unknown key, the nearest known one.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(path, [f"  it cannot be read: {error}"]) from None
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(path, [_tell(dict(item)) for item in error.errors()]) from None
    problems = _role_problems(config) + _model_problems(config)
    if sources:
        problems += _source_problems(config, path.parent)
    if problems:
        raise ConfigError(path, problems)
    return config


def _tell(item: dict[str, Any]) -> str:
    """Write one pydantic error as a line: key path, what is wrong, the way out."""
    location: tuple[int | str, ...] = item["loc"]
    where = _dotted(location)
    if item["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        is_named = location[0] in ("targets", "models") and isinstance(item["input"], dict)
        if is_named and not near:
            name = ".".join([*map(str, location[1:]), *_only_tables(item["input"])])
            return f'  {where}: a name with a dot stands in quotes: [{location[0]}."{name}"]'
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(known))}"
        return f"  {where}: unknown key; {hint}"
    if item["type"] == "missing":
        return f"  {where}: this key is required"
    if item["type"] in ("byte_size", "byte_size_unit"):
        return f'  {where}: {item["input"]!r} is not a size such as "512MiB" or "16GiB"'
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "literal_error":
        near = difflib.get_close_matches(str(item["input"]), _expected(item), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"  {where}: {message}, not {item['input']!r}{hint}"
    return f"  {where}: {message}"


def _only_tables(table: dict[str, Any]) -> Iterator[str]:
    """Yield the keys down to the first table that holds more than another one."""
    while len(table) == 1 and isinstance(inner := next(iter(table.values())), dict):
        yield next(iter(table))
        table = inner


def _expected(item: dict[str, Any]) -> list[str]:
    text = str(item["ctx"]["expected"])
    return [word.strip().strip("'") for word in text.replace(" or ", ", ").split(",")]


def _dotted(location: Iterable[int | str]) -> str:
    words = [str(part) for part in location if part != "[key]"]
    return ".".join(f'"{word}"' if "." in word else word for word in words) or "(top level)"


def _known_keys(location: Sequence[int | str]) -> list[str]:
    """Return the keys of the table at `location`, walking the schema's annotations."""
    table: Any = Config
    for part in location:
        if isinstance(table, type) and issubclass(table, BaseModel):
            fields = {field.alias or name: field for name, field in table.model_fields.items()}
            table = fields[str(part)].annotation
        else:  # dict[str, Table]: any key leads to the value's type
            table = get_args(table)[-1]
    if not (isinstance(table, type) and issubclass(table, BaseModel)):
        return []
    return [field.alias or name for name, field in table.model_fields.items()]


def _role_problems(config: Config) -> list[str]:
    """An upgrade goes from the one current target of a flavour to its candidates."""
    problems = []
    for flavour in sorted({target.flavour for target in config.targets.values()}):
        current = [
            name
            for name, target in config.targets.items()
            if target.flavour == flavour and target.role == "current"
        ]
        if len(current) > 1:
            problems.append(
                f"  targets: {' and '.join(current)} are both the current {flavour}; "
                "give one of them another role"
            )
    return problems


def _model_problems(config: Config) -> list[str]:
    """A target's own list of models names models of this file."""
    return [
        f"  targets.{target}.models: there is no model {name!r}; "
        f"the file has {', '.join(config.models)}"
        for target, settings in config.targets.items()
        for name in settings.models or ()
        if name not in config.models
    ]


def _source_problems(config: Config, folder: Path) -> list[str]:
    problems = []
    for name, model in config.models.items():
        path = local_source(model, folder)
        if path is not None and not path.is_file():
            problems.append(f"  models.{name}.source: there is no file {path}")
    return problems


def local_source(model: ModelConfig, folder: Path) -> Path | None:
    """Return the ONNX file that a model names relative to `folder`, None for other sources."""
    if model.source.startswith(_BUILTIN_PREFIXES):
        return None
    return folder / Path(model.source).expanduser()
