"""The files of LLM Engine's and OpenAI's dialects."""

from server.api.files.endpoints import delete_file, get_content, get_file, list_files, post_file
from server.api.files.errors import ERROR_SCHEMA, file_error
from server.http.dialect import Dialect, Endpoint

PATH = "/v1/files"

FILES = Dialect(
    name="Files",
    endpoints=(
        Endpoint(PATH, post_file, "Upload a file", verb="POST", form=("file", "purpose")),
        Endpoint(PATH, list_files, "List the files", query=("purpose", "after", "limit", "order")),
        Endpoint(f"{PATH}/{{id}}", get_file, "Describe a file"),
        Endpoint(f"{PATH}/{{id}}", delete_file, "Delete a file", verb="DELETE"),
        Endpoint(
            f"{PATH}/{{id}}/content",
            get_content,
            "The contents of a file",
            media_types=("application/octet-stream", "application/json"),
        ),
    ),
    format_error=file_error,
    error_schema=ERROR_SCHEMA,
    prefixes=("/v1/files",),
)
