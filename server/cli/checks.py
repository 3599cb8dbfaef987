"""Checks of one flag against another."""

from collections.abc import Mapping
from typing import Any

from server.cli.parser import FlagParser
from server.settings import is_socket_path


def check_flags(parser: FlagParser, values: Mapping[str, Any]) -> None:
    """Exits with code 2 after one line on stderr for flags that do not go together. `values` are by destination."""
    _check_source(parser, values)
    _check_projector(parser, values)
    _check_isolation(parser, values)
    _check_chat_template(parser, values)
    _check_pooling(parser, values)
    _check_draft(parser, values)
    _check_address(parser, values)
    _check_tls(parser, values)


def _check_source(parser: FlagParser, values: Mapping[str, Any]) -> None:
    file, repository, hub_file = (values.get(name) for name in ("model_file", "repository", "hub_file"))
    if "model_url" in values and (file or repository):
        parser.error(f"-mu/--model-url: expected no -m/--model or -hf/--hf-repo with it, got {file or repository}")
    if file and repository:
        parser.error(f"-m/--model and -hf/--hf-repo: expected one of them, got {file} and {repository}")
    if hub_file and not repository:
        parser.error(f"-hff/--hf-file: expected -hf/--hf-repo with it, got {hub_file} alone")


def _check_projector(parser: FlagParser, values: Mapping[str, Any]) -> None:
    if "mmproj_file" in values and "mmproj_url" in values:
        parser.error("-mm/--mmproj and -mmu/--mmproj-url: expected one of them, got both")
    low, high = values.get("image_min_tokens", 1), values.get("image_max_tokens")
    if high is not None and high < low:
        parser.error(f"--image-max-tokens: expected --image-min-tokens or more, {low}, got {high}")


def _check_address(parser: FlagParser, values: Mapping[str, Any]) -> None:
    hosts = [host for host in values.get("hosts", ()) if not is_socket_path(host)]
    if len(hosts) > 1 and values.get("port") == 0:
        parser.error(f"--port 0: expected one address with it, or a port of 1 or more, got {', '.join(hosts)}")


def _check_tls(parser: FlagParser, values: Mapping[str, Any]) -> None:
    key, certificate = values.get("tls_key_file"), values.get("tls_certificate_file")
    if (key is None) != (certificate is None):
        parser.error("--ssl-key-file and --ssl-cert-file: expected both of them or none, got one")
    if key is None or certificate is None:
        return
    import ssl  # noqa: PLC0415 - slow to import

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        parser.error(f"--ssl-key-file and --ssl-cert-file: expected a key and its certificate in PEM format: {reason}")


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
