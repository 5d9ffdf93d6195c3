"""Resend's OpenAPI document as the judge of every request, answer and webhook.

The document is not copied: it is read beside the repository, at `../shared/resend/openapi.yaml`. Where it is absent,
nothing is checked and `is_checked` is False. It declares no error answers: their documented shape is checked by hand
(https://resend.com/docs/api-reference/errors).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

RESEND = Path(__file__).parents[4] / "shared" / "resend"
OPENAPI = RESEND / "openapi.yaml"


class Judge:
    """Collects what does not follow the document, one line each: no values, they may be addresses."""

    def __init__(self) -> None:
        self.violations: list[str] = []

    @property
    def is_checked(self) -> bool:
        return OPENAPI.exists()

    def request(self, operation: str, body: Any, *, has_body: bool) -> None:
        if not self.is_checked:
            return
        declared = _operation(operation).get("requestBody")
        if declared is None:
            if has_body:
                self._add(operation, "has a body where none is declared")
        elif not has_body and declared.get("required", False):
            self._add(operation, "has no body where one is declared")
        else:
            self._check(operation, f"{_pointer(operation)}/requestBody/content/application~1json/schema", body)

    def answer(self, operation: str, status: int, body: Any) -> None:
        if not self.is_checked:
            return
        if str(status) not in _operation(operation)["responses"]:
            self._add(operation, f"answers {status}, which is not declared")
            return
        self._check(
            operation,
            f"{_pointer(operation)}/responses/{status}/content/application~1json/schema",
            _in_the_document(body),
        )

    def error(self, operation: str, status: int, body: Any) -> None:
        shape = {name: type(value) for name, value in body.items()} if isinstance(body, dict) else None
        if shape != {"statusCode": int, "name": str, "message": str} or body["statusCode"] != status:
            self._add(operation, f"answers {status} with a body that is not the documented one of an error")

    def event(self, kind: str, body: Any) -> None:
        if self.is_checked and kind in _document()["webhooks"]:
            self._check(kind, f"#/webhooks/{kind}/post/requestBody/content/application~1json/schema", body)

    def unknown(self, method: str, path: str) -> None:
        self._add(f"{method} {path}", "is nothing that the stand-in serves")

    def _check(self, what: str, pointer: str, instance: Any) -> None:
        for error in _validator(pointer).iter_errors(instance):
            self._add(what, f"{error.json_path} breaks {error.validator}: {error.validator_value!r}"[:200])

    def _add(self, what: str, sentence: str) -> None:
        self.violations.append(f"{what}: {sentence}")


def _in_the_document(body: Any) -> Any:
    """Tell of a domain what the document can say: `temporary_failure` is in older documentation only."""
    if isinstance(body, dict) and body.get("status") == "temporary_failure":
        return body | {"status": "failed"}
    if isinstance(body, dict) and isinstance(body.get("data"), list):
        return body | {"data": [_in_the_document(item) for item in body["data"]]}
    return body


@cache
def _document() -> Any:
    return yaml.load(OPENAPI.read_text("utf-8"), yaml.CSafeLoader)


@cache
def _validator(pointer: str) -> Draft202012Validator:
    registry = Registry().with_resource("urn:resend", Resource.from_contents(_document(), DRAFT202012))
    return Draft202012Validator({"$ref": f"urn:resend{pointer}"}, registry=registry)


def _operation(operation: str) -> Any:
    method, path = operation.split(" ")
    return _document()["paths"][path][method.lower()]


def _pointer(operation: str) -> str:
    method, path = operation.split(" ")
    return f"#/paths/{path.replace('/', '~1')}/{method.lower()}"
