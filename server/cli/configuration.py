"""Configuration: flags and environment variables, turned into the options of each part of the program."""

import logging
from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from models.header import Header
from models.source import ModelSource, resolve, resolve_projector
from server.cli.checks import check_flags
from server.cli.defaults import REQUEST_DEFAULTS, describe_defaults
from server.cli.environment import VariableError, read_variables
from server.cli.flags import GROUPS
from server.cli.foreign import NOTICES, read_foreign_variables
from server.cli.no_effect import NO_EFFECT
from server.cli.parser import FlagParser
from server.cli.refused import REFUSED
from server.options.constraint import Constraint
from server.options.generation_options import GenerationOptions
from server.settings import FineTuneSettings, LogSettings, Settings
from slots.errors import InvalidRequest
from slots.fit import FitOptions
from slots.options import ContextOptions, EngineOptions, MediaOptions, ModelOptions, Placement, SpeculationOptions

Options = TypeVar("Options")

FOREIGN = (*NO_EFFECT, *REFUSED)
DESCRIPTION = "Serve a GGUF model over HTTP. A flag overrides its environment variable."


class Configuration:
    """The options that the flags set; for anything else, the defaults are those of the option classes.

    Raises InvalidRequest for flags that are valid one by one but not together.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        """`values` holds the flags that were given, by destination."""
        self._values = values
        level = {"log_level": logging.DEBUG} if values.get("verbose") else {}
        self.log = self._options(LogSettings, **level)
        self.fit = self._options(FitOptions)
        self.dry_run: bool = values.get("dry_run", False)
        self.list_devices: bool = values.get("list_devices", False)
        self.notices: tuple[str, ...] = tuple(dict.fromkeys(values.get(NOTICES, ())))
        """Lines for the log, on flags that have no effect."""
        self.source = self._options(ModelSource)
        self.context = self._options(ContextOptions)
        self.draft_source = self._draft_source()
        """The source of the draft model, if there is one."""
        pooling = {"pooling": "rank"} if values.get("reranking") else {}
        self.engine = self._options(EngineOptions, speculation=self._speculation(), **pooling)
        self._defaults = self._request_defaults()

    @property
    def computes_embeddings_only(self) -> bool:
        return self.engine.embeddings_only or self.engine.pooling == "rank"

    def sets(self, destination: str) -> bool:
        """Whether a flag or variable sets an option."""
        return destination in self._values

    def model_options(self, path: Path) -> ModelOptions:
        """Returns how to load the model file at `path`."""
        return self._options(ModelOptions, path=path, placement=self._placement(""))

    def engine_options(self, draft: Path | None, projector: Path | None = None) -> EngineOptions:
        """Returns the options of the engine; `draft` is the draft model's file and `projector` that for pictures and
        sounds, if there are such."""
        speculation = replace(self.engine.speculation, draft_file=draft)
        return replace(self.engine, speculation=speculation, media=self._media_options(projector))

    def projector(self, model: Path) -> Path | None:
        """Returns the projector's file for the model at `model`, after downloading it if need be. Raises ModelError."""
        values = self._values
        if "mmproj_file" in values:
            return Path(values["mmproj_file"])
        if "mmproj_url" in values:
            repository, file = values["mmproj_url"]
            return resolve(replace(self.source, model_file=None, repository=repository, hub_file=file))
        serves_text_alone = self.engine.embeddings_only or self.engine.pooling == "rank"
        if not values.get("mmproj_auto", True) or serves_text_alone:
            return None
        return resolve_projector(self.source, model)

    def settings(self, header: Header) -> Settings:
        """Returns how to serve the model with this header."""
        # In this order, llama.cpp's server names the model by the first of them.
        aliases = tuple(sorted(set(self._values.get("aliases", (self._default_alias(),)))))
        return self._options(
            Settings,
            model_path=header.path,
            alias=aliases[0],
            aliases=aliases,
            tags=tuple(sorted(set(self._values.get("tags", ())))),
            fine_tune=self._options(FineTuneSettings),
            chat_template=self._chat_template() or header.chat_template,
            tool_use_template=None if self._chat_template() else header.tool_use_template,
            chat_template_kwargs=self._template_variables(),
            api_keys=(*self._values.get("api_keys", ()), *self._values.get("file_keys", ())),
            defaults=self._defaults,
            rerank_template=header.rerank_template,
            can_rank=header.has_classifier,
        )

    def _media_options(self, projector: Path | None) -> MediaOptions:
        devices = self._values.get("devices", (None,))
        return self._options(MediaOptions, path=projector, device=self._values.get("mmproj_device", devices[0]))

    def _speculation(self) -> SpeculationOptions:
        types = ("draft-simple",) if self.draft_source else ()
        placement = self._placement("draft_")
        types = self._values.get("spec_types", types)
        return self._options(SpeculationOptions, spec_types=types, draft_placement=placement)

    def _placement(self, prefix: str) -> Placement:
        """Returns the placement of the model whose flags have destinations with this prefix."""
        names = [name for name in _field_names(Placement) if prefix + name in self._values]
        return Placement(**{name: self._values[prefix + name] for name in names})

    def _draft_source(self) -> ModelSource | None:
        file, repository = self._values.get("draft_model_file"), self._values.get("draft_repository")
        if repository is None:
            return ModelSource(file) if file else None
        return replace(self.source, model_file=None, repository=repository, hub_file=str(file) if file else None)

    def _chat_template(self) -> str | None:
        template: str | None = self._values.get("chat_template_source", self._values.get("chat_template_file"))
        return template

    def _template_variables(self) -> dict[str, object]:
        """Returns what flags set, by llama.cpp's names of variables; --chat-template-kwargs wins."""
        values = self._values
        variables: dict[str, object] = {}
        if values.get("reasoning") is not None:
            variables["enable_thinking"] = values["reasoning"]
        if values.get("reasoning_budget_tokens") == 0:
            variables["enable_thinking"] = False
        if values.get("reasoning_effort", "default") != "default":
            variables["reasoning_effort"] = values["reasoning_effort"]
        if "reasoning_preserve" in values:
            variables["preserve_reasoning"] = values["reasoning_preserve"]
        variables.update(values.get("chat_template_kwargs", {}))
        return variables

    def _request_defaults(self) -> GenerationOptions:
        values = {name: self._values[name] for name in REQUEST_DEFAULTS if name in self._values}
        constraint: Constraint | None = self._values.get("constraint")
        if constraint is not None:
            values["grammar" if constraint.source.kind == "gbnf" else "json_schema"] = constraint
        return GenerationOptions(**values)

    def _default_alias(self) -> str:
        return self.source.repository or str(self.source.model_file or "bundled")

    def _options(self, options: type[Options], **known: Any) -> Options:  # noqa: ANN401 - as the fields are
        values = {name: self._values[name] for name in _field_names(options) if name in self._values}
        return options(**values | known)


def read_configuration(
    arguments: Sequence[str], environ: Mapping[str, str], defaults: Mapping[str, Any] | None = None
) -> Configuration:
    """Returns the configuration of the flags, of the variables for flags that are absent, and of `defaults`, by
    destination, where these are absent, too.

    Exits with code 2 after one line on stderr for an invalid value.
    """
    parser = FlagParser(DESCRIPTION, GROUPS, describe_defaults(), _versions(), FOREIGN)
    flags = parser.read(arguments)
    try:
        variables = read_variables(GROUPS, environ, flags)
        notices = (*flags.get(NOTICES, ()), *read_foreign_variables(FOREIGN, environ))
    except (VariableError, ArgumentTypeError) as error:
        parser.error(str(error))
    values = {name: value for name, value in variables.items() if name not in _overridden(flags)} | flags
    values = {**(defaults or {}), **values, NOTICES: notices}
    check_flags(parser, values)
    if "model_url" in values:
        values["repository"], values["hub_file"] = values["model_url"]
    try:
        return Configuration(values)
    except InvalidRequest as error:
        parser.error(str(error))


def _overridden(flags: Mapping[str, Any]) -> set[str]:
    """The destinations whose variables are ignored, since a flag sets the same thing in another way."""
    sources = ({"model_file"}, {"repository", "hub_file"}, {"model_url"})
    given = [source for source in sources if source & flags.keys()]
    overridden = set().union(*(source for source in sources if source not in given)) if given else set()
    overridden |= {"chat_template_file"} if "chat_template_source" in flags else set()
    overridden |= {"chat_template_source"} if "chat_template_file" in flags else set()
    overridden |= {"pooling"} if flags.get("reranking") else set()
    overridden |= {"reranking"} if "pooling" in flags else set()
    return overridden


def _field_names(options: type[Any]) -> list[str]:
    return [field.name for field in fields(options)]


def _versions() -> str:
    return f"llama-slots {_version('llama-slots')}, llama-cpp-python {_version('llama-cpp-python')}"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "(not installed)"
