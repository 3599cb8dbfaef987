"""aiXplain's dialect."""

from server.api.aixplain.catalogs import get_functions, get_languages, get_licenses, get_suppliers
from server.api.aixplain.errors import ERROR_SCHEMA, aixplain_error
from server.api.aixplain.execute import get_job, post_job, read_execution
from server.api.aixplain.models import get_model_by_id, get_model_by_name, get_v2_model
from server.api.aixplain.protocol import ExecutionRequestBody
from server.generation.endpoint import generation_endpoint
from server.http.dialect import Dialect, Endpoint

_execution = generation_endpoint(read_execution, is_slow=True)

AIXPLAIN = Dialect(
    name="aiXplain",
    endpoints=(
        Endpoint("/api/v2/execute/{model:path}", _execution, "Answer a text or a chat", ExecutionRequestBody),
        Endpoint("/api/v1/execute/{model:path}", post_job, "Answer in the background", ExecutionRequestBody),
        Endpoint("/api/v1/data/{job}", get_job, "Fetch an answer from the background"),
        Endpoint("/sdk/models/by-name/{name:path}", get_model_by_name, "Describe the model"),
        Endpoint("/sdk/models/{id:path}", get_model_by_id, "Describe the model"),
        Endpoint("/v2/models/{id:path}", get_v2_model, "Describe the model, for version 2 of the SDK"),
        Endpoint("/sdk/functions", get_functions, "List what models do"),
        Endpoint("/sdk/languages", get_languages, "List languages"),
        Endpoint("/sdk/licenses", get_licenses, "List licenses"),
        Endpoint("/sdk/suppliers", get_suppliers, "List suppliers"),
    ),
    format_error=aixplain_error,
    error_schema=ERROR_SCHEMA,
    prefixes=("/api/v1/execute/", "/api/v1/data/", "/api/v2/execute/", "/sdk/", "/v2/models/"),
)
