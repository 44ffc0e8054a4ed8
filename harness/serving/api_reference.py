"""OpenAPI document of the service -> what its page of documentation shows.

Operations in the order of the document, each with its parameters, bodies and answers; then the schemas that these link
to, each once. Any valid document can be shown: keys that the page does not know are passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """Type of a value in words, and the schema of this page that it links to, or ""."""

    words: str
    link: str = ""


@dataclass(frozen=True)
class Field:
    """Named value: a parameter, or a property of a schema. `more`: its limits and its default, or ""."""

    name: str
    kind: Kind
    required: bool
    description: str
    more: str


@dataclass(frozen=True)
class Body:
    """Body of a request or of an answer in one media type. `fields`: its properties, where it has no name."""

    media: str
    kind: Kind
    fields: Sequence[Field]
    example: str


@dataclass(frozen=True)
class Answer:
    """Answers of an operation that have the same bodies: their statuses, each with its description."""

    statuses: Sequence[tuple[str, str]]
    bodies: Sequence[Body]


@dataclass(frozen=True)
class Route:
    """One method of one path. `id`: its place on the page."""

    id: str
    method: str
    path: str
    summary: str
    paragraphs: Sequence[str]
    parameters: Sequence[Field]
    bodies: Sequence[Body]
    answers: Sequence[Answer]


@dataclass(frozen=True)
class Named:
    """Schema with a name, which the bodies link to."""

    name: str
    description: str
    kind: Kind
    fields: Sequence[Field]


@dataclass(frozen=True)
class Reference:
    """All that the template of the page shows."""

    title: str
    version: str
    paragraphs: Sequence[str]
    routes: Sequence[Route]
    schemas: Sequence[Named]


def reference(document: Mapping[str, Any]) -> Reference:
    """Return what the page shows of an OpenAPI document."""
    info = document.get("info", {})
    routes = list(_routes(document))
    return Reference(
        title=info.get("title", ""),
        version=info.get("version", ""),
        paragraphs=_paragraphs(info.get("description")),
        routes=routes,
        schemas=_linked(routes, document.get("components", {}).get("schemas", {})),
    )


def _linked(routes: Sequence[Route], schemas: Mapping[str, Schema]) -> list[Named]:
    """Return the schemas that the routes, and these schemas themselves, link to, by name."""
    bodies = [body for route in routes for body in route.bodies]
    bodies += [body for route in routes for answer in route.answers for body in answer.bodies]
    fields = [field for route in routes for field in route.parameters] + [one for body in bodies for one in body.fields]
    kinds = [body.kind for body in bodies if not body.fields] + [field.kind for field in fields]
    wanted, found = {kind.link for kind in kinds}, dict[str, Named]()
    while missing := sorted(wanted & schemas.keys() - found.keys()):
        for name in missing:
            schema = schemas[name]
            found[name] = Named(name, schema.get("description", ""), _kind(schema), list(_fields(schema)))
            wanted |= {field.kind.link for field in found[name].fields} | {found[name].kind.link}
    return [found[name] for name in sorted(found)]


def _routes(document: Mapping[str, Any]) -> Iterator[Route]:
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method not in item:
                continue
            operation = item[method]
            yield Route(
                id=_identifier(f"{method} {path}"),
                method=method.upper(),
                path=path,
                summary=operation.get("summary", ""),
                paragraphs=_paragraphs(operation.get("description")),
                parameters=[_parameter(one) for one in (*item.get("parameters", ()), *operation.get("parameters", ()))],
                bodies=_bodies(operation.get("requestBody", {}), document),
                answers=_answers(operation.get("responses", {}), document),
            )


def _answers(responses: Mapping[str, Any], document: Mapping[str, Any]) -> list[Answer]:
    """Return the answers by rising status, neighbours with the same bodies as one."""
    found = list[Answer]()
    for status, answer in sorted(responses.items()):
        bodies, said = _bodies(answer, document, False), (str(status), answer.get("description", ""))
        if found and found[-1].bodies == bodies:
            found[-1] = Answer([*found[-1].statuses, said], bodies)
        else:
            found.append(Answer([said], bodies))
    return found


def _identifier(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _paragraphs(words: str | None) -> list[str]:
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", words or "") if part.strip()]


def _parameter(parameter: Mapping[str, Any]) -> Field:
    schema = parameter.get("schema", {})
    name = f"{parameter.get('name', '')} ({parameter.get('in', '')})"
    description = parameter.get("description") or _description(schema)
    return Field(name, _kind(schema), parameter.get("required", False), description, _limits(schema))


def _bodies(holder: Mapping[str, Any], document: Mapping[str, Any], unfold: bool = True) -> list[Body]:
    """Return a body a media type. `unfold`: show the fields of a schema here instead of a link to it."""
    found = []
    for media, content in holder.get("content", {}).items():
        schema = content.get("schema", {})
        inner = _followed(schema, document) if unfold else schema
        fields = [] if "$ref" in inner else list(dict.fromkeys(_fields(inner)))  # kinds of one value share fields
        found.append(Body(media, _kind(schema), fields, _example(content, inner)))
    return found


def _followed(schema: Schema, document: Mapping[str, Any]) -> Schema:
    """Return the schema that a reference within the document leads to, or the schema itself."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return document.get("components", {}).get("schemas", {}).get(name, schema)


def _fields(schema: Schema, above: str = "") -> Iterator[Field]:
    """Yield the properties of an object, and those of the objects within it: `pictures[].image`, `error.code`."""
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _fields(option, above)
    if "items" in schema:
        yield from _fields(schema["items"], f"{above}[]")
    required = schema.get("required", ())
    for key, one in schema.get("properties", {}).items():
        name = f"{above}.{key}" if above else key
        yield Field(name, _kind(one), key in required, _description(one), _limits(one))
        yield from _fields(one, name)


def _description(schema: Schema) -> str:
    """Return a value's description, which may stand at one of its kinds."""
    return next((one["description"] for one in (schema, *schema.get("anyOf", ())) if "description" in one), "")


def _kind(schema: Schema) -> Kind:
    """Return a schema's type in words: `text`, `list of number`, `text or null`, or a schema's name with its link."""
    if link := schema.get("$ref", "").rpartition("/")[2]:
        return Kind(link, link)
    if options := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        kinds = [_kind(option) for option in options]
        words = " or ".join(dict.fromkeys(kind.words for kind in kinds))
        return Kind(words, next((kind.link for kind in kinds if kind.link), ""))
    if "enum" in schema or "const" in schema:
        return Kind(" or ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")])))
    kinds = schema.get("type", "anything")
    if isinstance(kinds, str) and kinds != "array":
        is_file = schema.get("format") == "binary" or "contentMediaType" in schema
        return Kind("file" if is_file else _WORDS.get(kinds, kinds))
    if kinds == "array":
        items = _kind(schema.get("items", {}))
        return Kind(f"list of {items.words}", items.link)
    return Kind(" or ".join(_WORDS.get(kind, kind) for kind in kinds))


_WORDS = {"string": "text", "boolean": "true or false", "object": "object"}
_RANGES = (("minimum", "maximum", ""), ("minLength", "maxLength", " characters"), ("minItems", "maxItems", " items"))
_LIMITS = {"exclusiveMinimum": "above {}", "exclusiveMaximum": "below {}", "pattern": "of the form {}"}


def _limits(schema: Schema) -> str:
    """Return the limits and the default of a value, also where null is allowed beside it; "" where there are none."""
    found = {key: value for option in (*schema.get("anyOf", ()), schema) for key, value in option.items()}
    said = [_range(found[low], found.get(high), unit) for low, high, unit in _RANGES if low in found]
    said += [
        f"at most {_short(found[high])}{unit}" for low, high, unit in _RANGES if high in found and low not in found
    ]
    said += [words.format(_short(found[key])) for key, words in _LIMITS.items() if key in found]
    if schema.get("default") is not None:
        said.append(f"by default {json.dumps(schema['default'], ensure_ascii=False)}")
    return ", ".join(said)


def _range(low: float, high: float | None, unit: str) -> str:
    if high is not None:
        return f"{_short(low)} to {_short(high)}{unit}"
    return "not empty" if unit and low == 1 else f"at least {_short(low)}{unit}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _example(content: Mapping[str, Any], schema: Schema) -> str:
    named = [one.get("value") for one in content.get("examples", {}).values()]
    given = [content.get("example"), *named, *schema.get("examples", ()), schema.get("example")]
    first = next((one for one in given if one is not None), None)
    return "" if first is None else first if isinstance(first, str) else json.dumps(first, indent=2, ensure_ascii=False)
