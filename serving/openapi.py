"""The API page: built from the endpoints, with examples taken from the publication that is served."""

from typing import Any

from pydantic import TypeAdapter

from recsys.answers.policy import Placements
from recsys.artifacts.publication import Publication
from serving.call import Download
from serving.endpoint import Endpoint, example_member
from serving.endpoints import ENDPOINTS
from serving.errors import Failure
from serving.schemas import Id

REF = "#/components/schemas/{model}"
STATUSES = {
    "400": "The body cannot be read",
    "401": "No key was shown, or none that stands",
    "403": "The key's role may not call this",
    "404": "A member, product or category is not known",
    "405": "The method is not taken",
    "408": "The body did not come",
    "413": "The body is too large",
    "422": "A field breaks a rule",
    "429": "The key's rate is used up; retry-after tells when to try again",
    "500": "The service failed",
    "503": "Nothing was published yet, or the service is at its limit; retry-after tells when to try again",
}

SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>recsys API</title>
<link rel="stylesheet" href="static_content/swagger-ui.css"></head>
<body><div id="api"></div><script src="static_content/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "docs.json", dom_id: "#api", tryItOutEnabled: true})</script></body></html>
"""


def document(publication: Publication | None, placements: Placements) -> dict[str, Any]:
    """Return the OpenAPI document; without a publication it has no examples."""
    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = [
        ("failure", "serialization", TypeAdapter(Failure)),
        ("id", "validation", TypeAdapter(Id)),
    ]
    for endpoint in ENDPOINTS:
        adapters.append((f"{endpoint.name}:request", "validation", TypeAdapter(endpoint.request)))
        if endpoint.answer is not Download:
            adapters.append((f"{endpoint.name}:answer", "serialization", TypeAdapter(endpoint.answer)))
    schemas, shared = TypeAdapter.json_schemas(adapters, ref_template=REF)
    by_name = {name: schema for (name, _), schema in schemas.items()}
    version = "none" if publication is None else publication.name
    return {
        "openapi": "3.1.0",
        "info": {"title": "recsys", "version": version, "description": "Recommendations and predictions"},
        "paths": _paths(by_name, publication, placements) | _machines(),
        "components": {"schemas": shared.get("$defs", {}), "securitySchemes": SCHEMES},
        "security": [{name: []} for name in SCHEMES],
    }


def _paths(
    schemas: dict[str, Any], publication: Publication | None, placements: Placements
) -> dict[str, dict[str, Any]]:
    """Describe every path with all its methods."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {}).update(_path(endpoint, schemas, publication, placements))
    return paths


def _path(
    endpoint: Endpoint, schemas: dict[str, Any], publication: Publication | None, placements: Placements
) -> dict[str, Any]:
    media: dict[str, Any] = {"schema": schemas[f"{endpoint.name}:request"]}
    example = None if publication is None else endpoint.example(publication, placements)
    if example is not None:
        media["example"] = example
    refused = {"application/json": {"schema": _error(schemas)}}
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "responses": {
            str(endpoint.status): {"description": "The answer", "content": _answer(endpoint, schemas)},
            **{status: {"description": text, "content": refused} for status, text in STATUSES.items()},
        },
    }
    body = {"required": not endpoint.body_optional, "content": {"application/json": media}}
    path: dict[str, Any] = {}
    if endpoint.method == "GET":
        path["get"] = {**operation, "parameters": _query(endpoint.request.model_json_schema(ref_template=REF))}
    else:
        path["post"] = {**operation, "requestBody": body}
    if endpoint.body_optional:
        path["get"] = {**operation, "operationId": f"get_{endpoint.name}"}
    _, _, rest = endpoint.path.partition("{")
    if rest:
        name = rest.partition("}")[0]
        parameter: dict[str, Any] = {"name": name, "in": "path", "required": True, "schema": schemas["id"]}
        member = example_member(publication) if publication is not None and name == "member_id" else None
        path["parameters"] = [parameter if member is None else {**parameter, "example": member}]
    return path


def _answer(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    if endpoint.answer is Download:
        return {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    return {"application/json": {"schema": schemas[f"{endpoint.name}:answer"]}}


def _query(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Describe the query of a GET by the model that it is read into."""
    needed = schema.get("required", ())
    fields = schema.get("properties", {}).items()
    return [{"name": name, "in": "query", "required": name in needed, "schema": field} for name, field in fields]


def _error(schemas: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": ["error"], "properties": {"error": schemas["failure"]}}


def _machines() -> dict[str, Any]:
    said = {
        "/livez": "The process is up",
        "/healthz": "The process is up",
        "/readyz": "200 when it can answer; tells the publication, and one that was refused",
        "/metrics": "Counters for Prometheus",
    }
    answers = {"200": {"description": "OK"}}
    unready = {"503": {"description": "It cannot answer yet"}}
    return {
        path: {"get": {"summary": text, "security": [], "responses": answers | (unready if path == "/readyz" else {})}}
        for path, text in said.items()
    }
