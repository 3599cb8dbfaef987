"""Configuration: flags and environment variables, turned into the options of each part of the program."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from models.header import Header
from models.source import ModelSource
from server.cli.defaults import REQUEST_DEFAULTS, describe_defaults
from server.cli.environment import VariableError, read_variables
from server.cli.flags import GROUPS
from server.cli.parser import FlagParser
from server.options.constraint import Constraint
from server.options.generation_options import GenerationOptions
from server.settings import Settings
from slots.errors import InvalidRequest
from slots.options import ContextOptions, EngineOptions, ModelOptions, SpeculationOptions

Options = TypeVar("Options")

DESCRIPTION = "Serve a GGUF model over HTTP. A flag overrides its environment variable."


class Configuration:
    """The options that the flags set; for anything else, the defaults are those of the option classes.

    Raises InvalidRequest for flags that are valid one by one but not together.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        """`values` holds the flags that were given, by destination."""
        self._values = values
        self.verbose: bool = values.get("verbose", False)
        self.source = self._options(ModelSource)
        self.context = self._options(ContextOptions)
        self.draft_source = self._draft_source()
        """The source of the draft model, if there is one."""
        pooling = {"pooling": "rank"} if values.get("reranking") else {}
        self.engine = self._options(EngineOptions, speculation=self._speculation(), **pooling)
        self._defaults = self._request_defaults()

    def model_options(self, path: Path) -> ModelOptions:
        """Returns how to load the model file at `path`."""
        return self._options(ModelOptions, path=path)

    def engine_options(self, draft: Path | None) -> EngineOptions:
        """Returns the options of the engine; `draft` is the draft model's file, if there is one."""
        return replace(self.engine, speculation=replace(self.engine.speculation, draft_file=draft))

    def settings(self, header: Header) -> Settings:
        """Returns how to serve the model with this header."""
        return self._options(
            Settings,
            model_path=header.path,
            alias=self._values.get("alias", self._default_alias()),
            chat_template=self._chat_template() or header.chat_template,
            api_keys=(*self._values.get("api_keys", ()), *self._values.get("file_keys", ())),
            defaults=self._defaults,
            rerank_template=header.rerank_template,
            can_rank=header.has_classifier,
        )

    def _speculation(self) -> SpeculationOptions:
        types = ("draft-simple",) if self.draft_source else ()
        return self._options(SpeculationOptions, spec_types=self._values.get("spec_types", types))

    def _draft_source(self) -> ModelSource | None:
        file, repository = self._values.get("draft_model_file"), self._values.get("draft_repository")
        if repository is None:
            return ModelSource(file) if file else None
        return replace(self.source, model_file=None, repository=repository, hub_file=str(file) if file else None)

    def _chat_template(self) -> str | None:
        template: str | None = self._values.get("chat_template_source", self._values.get("chat_template_file"))
        return template

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


def read_configuration(arguments: Sequence[str], environ: Mapping[str, str]) -> Configuration:
    """Returns the configuration of the flags, and of the variables for flags that are absent.

    Exits with code 2 after one line on stderr for an invalid value.
    """
    parser = FlagParser(DESCRIPTION, GROUPS, describe_defaults(), _versions())
    flags = vars(parser.parse_args(arguments))
    try:
        variables = read_variables(GROUPS, environ, flags)
    except VariableError as error:
        parser.error(str(error))
    values = {name: value for name, value in variables.items() if name not in _overridden(flags)} | flags
    _check_source(parser, values)
    _check_isolation(parser, values)
    _check_chat_template(parser, values)
    _check_pooling(parser, values)
    _check_draft(parser, values)
    try:
        return Configuration(values)
    except InvalidRequest as error:
        parser.error(str(error))


def _overridden(flags: Mapping[str, Any]) -> set[str]:
    """The destinations whose variables are ignored, since a flag sets the same thing in another way."""
    overridden = {"repository", "hub_file"} if "model_file" in flags else set()
    overridden |= {"model_file"} if "repository" in flags else set()
    overridden |= {"chat_template_file"} if "chat_template_source" in flags else set()
    overridden |= {"chat_template_source"} if "chat_template_file" in flags else set()
    overridden |= {"pooling"} if flags.get("reranking") else set()
    overridden |= {"reranking"} if "pooling" in flags else set()
    return overridden


def _check_source(parser: FlagParser, values: Mapping[str, Any]) -> None:
    file, repository, hub_file = (values.get(name) for name in ("model_file", "repository", "hub_file"))
    if file and repository:
        parser.error(f"-m/--model and -hf/--hf-repo: expected one of them, got {file} and {repository}")
    if hub_file and not repository:
        parser.error(f"-hff/--hf-file: expected -hf/--hf-repo with it, got {hub_file} alone")


def _check_isolation(parser: FlagParser, values: Mapping[str, Any]) -> None:
    isolation = values.get("cache_isolation", "none")
    if isolation == "key" and not (values.get("api_keys") or values.get("file_keys")):
        parser.error("--cache-isolation key: expected --api-key or --api-key-file with it, got none")
    if isolation != "none" and values.get("slot_save_path"):
        # Any client may save, restore or erase any slot, also one with another client's conversation.
        parser.error(f"--cache-isolation and --slot-save-path: expected one of them, got {isolation} and a folder")


def _check_chat_template(parser: FlagParser, values: Mapping[str, Any]) -> None:
    if "chat_template_source" in values and "chat_template_file" in values:
        parser.error("--chat-template and --chat-template-file: expected one of them, got both")


def _check_pooling(parser: FlagParser, values: Mapping[str, Any]) -> None:
    pooling = values.get("pooling", "rank")
    if values.get("reranking") and pooling != "rank":
        parser.error(f"--reranking: expected no --pooling with it, or rank, got {pooling}")


def _check_draft(parser: FlagParser, values: Mapping[str, Any]) -> None:
    has_model = "draft_model_file" in values or "draft_repository" in values
    if "draft-simple" in values.get("spec_types", ()) and not has_model:
        parser.error("--spec-type draft-simple: expected -md/--model-draft or -hfd/--hf-repo-draft with it, got none")


def _field_names(options: type[Any]) -> list[str]:
    return [field.name for field in fields(options)]


def _versions() -> str:
    return f"llama-slots {_version('llama-slots')}, llama-cpp-python {_version('llama-cpp-python')}"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "(not installed)"
