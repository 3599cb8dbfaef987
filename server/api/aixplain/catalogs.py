"""GET /sdk/functions, /sdk/languages, /sdk/licenses and /sdk/suppliers: what versions of the SDK up to 0.2.38 fetch
when they are imported, and cannot do without."""

from starlette.requests import Request

from server.api.aixplain.models import FUNCTION, SUPPLIER
from server.http.json_response import JsonResponse


async def get_functions(_: Request) -> JsonResponse:
    return JsonResponse({"results": [{**FUNCTION, "params": [], "output": []}]})


async def get_languages(_: Request) -> JsonResponse:
    return JsonResponse([{"label": "English", "value": "en", "dialects": []}])


async def get_licenses(_: Request) -> JsonResponse:
    return JsonResponse([{"id": "1", "name": "MIT"}])


async def get_suppliers(_: Request) -> JsonResponse:
    return JsonResponse([{**SUPPLIER, "name": "aiXplain", "code": "aixplain"}])
