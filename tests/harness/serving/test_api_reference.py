"""What the page of documentation shows of an OpenAPI document, for every kind of schema that one may hold."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="FastAPI is not installed")

from harness.serving.api_reference import reference

THING = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 9},
        "next": {"$ref": "#/components/schemas/Thing"},
    },
}


def body_of(schema, **content):
    """The one body of a document with one route."""
    holder = {"content": {"application/json": {"schema": schema} | content}}
    document = {
        "paths": {"/x": {"post": {"requestBody": holder}}},
        "components": {"schemas": {"Thing": THING, "Alone": {"type": "object"}}},
    }
    return reference(document).routes[0].bodies[0]


KINDS = [
    ({"type": "string"}, "text", "", "a type"),
    ({"type": ["string", "null"]}, "text or null", "", "several types"),
    ({"type": "string", "format": "binary"}, "file", "", "a file in a form"),
    ({"type": "string", "contentMediaType": "application/octet-stream"}, "file", "", "the same in OpenAPI 3.1"),
    ({"type": "array", "items": {"type": "number"}}, "list of number", "", "a list"),
    (
        {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
        "list of Thing",
        "Thing",
        "a list with a link",
    ),
    ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, "true or false or null", "", "a choice"),
    ({"enum": ["a", "b", None]}, '"a" or "b" or null', "", "values"),
    ({"const": 1}, "1", "", "one value"),
    ({}, "anything", "", "no schema"),
    ({"$ref": "#/components/schemas/Thing"}, "Thing", "Thing", "a name"),
    ({"$ref": "#/components/schemas/Missing"}, "Missing", "Missing", "a name that is not there"),
]


@pytest.mark.parametrize(("schema", "words", "link", "why"), KINDS)
def test_types_in_words(schema, words, link, why):
    kind = body_of(schema).kind
    assert (kind.words, kind.link) == (words, link), why


LIMITS = [
    ({"minimum": 0.0, "maximum": 5.0}, "0 to 5", "both ends, without needless digits"),
    ({"minimum": 2}, "at least 2", "one end"),
    ({"maxItems": 32}, "at most 32 items", "the other end"),
    ({"minLength": 1}, "not empty", "a text"),
    ({"minLength": 1, "maxLength": 9}, "1 to 9 characters", "a text with both ends"),
    ({"exclusiveMinimum": 0, "default": 1}, "above 0, by default 1", "an open end and a default"),
    ({"anyOf": [{"maximum": 3}, {"type": "null"}], "default": None}, "at most 3", "null beside it"),
    ({}, "", "none"),
]


@pytest.mark.parametrize(("schema", "words", "why"), LIMITS)
def test_limits_in_words(schema, words, why):
    (field,) = body_of({"type": "object", "properties": {"x": schema}}).fields
    assert field.more == words, why


def test_objects_within_objects_are_fields_with_dots():
    inner = {"type": "object", "required": ["b"], "properties": {"b": {"type": "integer", "description": "two"}}}
    held = {"anyOf": [{"type": "array", "items": inner, "description": "one"}, {"type": "null"}]}
    fields = body_of({"type": "object", "properties": {"a": held, "c": inner}}).fields
    found = [(field.name, field.description) for field in fields]
    assert found == [("a", "one"), ("a[].b", "two"), ("c", ""), ("c.b", "two")]
    assert [field.required for field in fields] == [False, True, False, True]


def test_named_schemas_are_shown_once_and_only_where_something_links_to_them():
    """A schema that names itself ends; one that nothing names is left out."""
    link = {"$ref": "#/components/schemas/Thing"}
    answers = {"200": {"description": "yes", "content": {"application/json": {"schema": link}}}}
    document = {
        "info": {"title": "T", "version": "1", "description": "One\nline.\n\nAnother."},
        "paths": {"/x/{id}": {"get": {"responses": answers, "parameters": [{"name": "id", "in": "path"}]}}},
        "components": {"schemas": {"Thing": THING, "Alone": {"type": "object"}}},
    }
    found = reference(document)
    assert [schema.name for schema in found.schemas] == ["Thing"]
    assert found.paragraphs == ["One line.", "Another."]
    assert (found.routes[0].id, found.routes[0].parameters[0].name) == ("get-x-id", "id (path)")


def test_answers_with_the_same_body_stand_together_by_rising_status():
    link = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}
    responses = {"422": {"description": "c"} | link, "200": {"description": "a"}, "413": {"description": "b"} | link}
    (route,) = reference({"paths": {"/x": {"get": {"responses": responses}}}}).routes
    assert [answer.statuses for answer in route.answers] == [[("200", "a")], [("413", "b"), ("422", "c")]]


@pytest.mark.parametrize(
    ("content", "expected"),
    [({"example": {"a": 1}}, '{\n  "a": 1\n}'), ({"examples": {"x": {"value": "text"}}}, "text"), ({}, "")],
)
def test_examples(content, expected):
    assert body_of({"type": "object"}, **content).example == expected


def test_an_empty_document_is_an_empty_page():
    found = reference({})
    assert (found.title, found.routes, found.schemas) == ("", [], [])
