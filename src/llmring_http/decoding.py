"""From bytes to wire Structs, and from what is wrong with them to a list of named fields.

Litestar's own decoding answers 400 and stops at the first error; historic clients expect 422 and
every error with its place.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar, get_args

from litestar import Request
from litestar.datastructures.state import State
from litestar.di import NamedDependency, Provide
from litestar.openapi.spec import (
    Operation,
    Parameter,
    Reference,
)
from msgspec import UNSET, Raw, Struct, UnsetType, ValidationError, convert, json
from msgspec.structs import FieldInfo, fields

from llmring_core.accounts import Caller
from llmring_core.usage import MAX_COUNT
from llmring_http.problems import FieldError, Unprocessable
from llmring_http.structure import check_structure, plain_json

Wire = TypeVar("Wire", bound=Struct)
AnyRequest = Request[None, None, State]

JSON_TYPE = re.compile(
    r"\s*(application/([\w.-]+\+)?json|\*/\*)\s*(;(?!\s*charset\s*=)[^;]*|;\s*charset=\"?utf-?8\"?\s*)*",
    re.IGNORECASE,
)
MAX_ECHO = 100  # characters of what was sent that an error may repeat

# What msgspec says, in the words that historic clients know: pattern, type, message.
WORDS: Final = (
    (r"Expected `str( \| null)?`, got", "string_type", "Input should be a valid string"),
    (
        r"Expected `int.*got `float",
        "int_from_float",
        "Input should be a valid integer, got a number with a fractional part",
    ),
    (
        r"Expected `int.*got `str",
        "int_parsing",
        "Input should be a valid integer, unable to parse string as an integer",
    ),
    (r"Expected `int.*got|Number out of range", "int_type", "Input should be a valid integer"),
    (
        r"Expected `int` >= (\d+)",
        "greater_than_equal",
        "Input should be greater than or equal to {}",
    ),
    (r"Expected `int` <= (\d+)", "less_than_equal", "Input should be less than or equal to {}"),
    (r"Expected `object", "dict_type", "Input should be a valid dictionary"),
    (r"Expected `bool", "bool_parsing", "Input should be true or false"),
)


def query_parameters(wire: type[Wire]) -> dict[str, Any]:
    """Return the decorator arguments of a handler with a ``params: NamedDependency[wire]``."""

    async def params(
        request: AnyRequest,
        caller: NamedDependency[Caller],  # noqa: ARG001  found out first: strangers get 401
    ) -> Wire:
        return decode_query(request.query_params.multi_items(), wire)

    return _with_query(wire, params)


def public_query_parameters(wire: type[Wire]) -> dict[str, Any]:
    """Return the same for a handler that strangers may ask."""

    async def params(request: AnyRequest) -> Wire:
        return decode_query(request.query_params.multi_items(), wire)

    return _with_query(wire, params)


def _with_query(wire: type[Wire], params: Callable[..., Awaitable[Wire]]) -> dict[str, Any]:
    properties = schema_of(wire)["properties"]
    parameters: list[Parameter | Reference] = [
        Parameter(name=name, param_in="query", required=False, schema=schema)
        for name, schema in properties.items()
    ]

    @dataclass
    class WithQuery(Operation):
        def __post_init__(self) -> None:
            self.parameters = parameters

    return {"dependencies": {"params": Provide(params)}, "operation_class": WithQuery}


def decode_body(body: bytes, content_type: str | None, wire: type[Wire]) -> Wire:
    """Read a JSON object. Raises Unprocessable with every field that breaks its rule."""
    if content_type and not JSON_TYPE.fullmatch(content_type):
        rule = "Input should be a JSON object; send it with Content-Type: application/json"
        raise Unprocessable([FieldError(type="model_attributes_type", loc=["body"], msg=rule)])
    if not body:
        raise Unprocessable(
            [FieldError(type="missing", loc=["body"], msg="Field required", input=None)]
        )
    return _typed(body, wire)


def decode_part(part: Raw, wire: type[Wire]) -> Wire:
    """Read a JSON object out of several. Raises Unprocessable."""
    return _typed(bytes(part), wire)


def decode_query(items: Iterable[tuple[str, str]], wire: type[Wire]) -> Wire:
    """Read query parameters; an empty one counts as absent, as historic clients mean it.

    Raises: Unprocessable, also when a parameter is repeated.
    """
    given: dict[str, str] = {}
    known = {field.encode_name for field in fields(wire)}
    for name, value in items:
        if name in known and name in given:
            rule = "must be given once"
            raise Unprocessable([FieldError(type="value_error", loc=["query", name], msg=rule)])
        if value:
            given[name] = value
    try:
        return convert(given, wire, strict=False)
    except ValidationError as error:
        raise Unprocessable(_errors_in("query", given, wire, error)) from None


def any_json(_: type[object]) -> dict[str, Any]:
    """Return the JSON schema of what msgspec has none for: values passed on as they are."""
    return {"description": "any JSON value"}


def _typed(body: bytes, wire: type[Wire]) -> Wire:
    check_structure(body)
    decoder: json.Decoder[Wire] = _decoder(wire)
    try:
        return decoder.decode(body)
    except ValidationError as error:
        raise Unprocessable(_errors_in("body", plain_json(body), wire, error)) from None


@cache
def _decoder(wire: type[Struct]) -> json.Decoder[Any]:
    return json.Decoder(wire, strict=False)  # historic clients may send "12" for 12


def _errors_in(
    place: str, given: object, wire: type[Struct], first: ValidationError
) -> list[FieldError]:
    """Return every error of ``given``: the decoder stops at the first one."""
    if not isinstance(given, Mapping):
        message = "Input should be a valid dictionary or object to extract fields from"
        return [FieldError(type="model_attributes_type", loc=[place], msg=message)]
    found = [error for field in fields(wire) for error in _field_errors(place, given, field)]
    return found or [FieldError(type="value_error", loc=[place], msg=str(first))]


def _field_errors(place: str, given: Mapping[str, object], field: FieldInfo) -> list[FieldError]:
    name = field.encode_name
    if name not in given:
        missing = FieldError(type="missing", loc=[place, name], msg="Field required")
        return [missing] if field.required else []
    if field.type is Raw or Raw in get_args(field.type):  # read later, by rules of its own
        return []
    try:
        convert(given[name], field.type, strict=False)
    except ValidationError as error:
        kind, message = _in_words(str(error), field)
        return [FieldError(type=kind, loc=[place, name], msg=message, input=_echo(given[name]))]
    return []


def _in_words(said: str, field: FieldInfo) -> tuple[str, str]:
    if said.startswith("Invalid enum value"):
        *most, last = map(repr, get_args(field.type))
        return "literal_error", f"Input should be {', '.join(most)} or {last}"
    for pattern, kind, message in WORDS:
        match = re.search(pattern, said)
        if match:
            return kind, message.format(*match.groups())
    return "value_error", said


def _echo(value: object) -> str | int | float | bool | UnsetType | None:
    """Return what was sent, to be repeated in the error, when it is a short plain value."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) <= MAX_COUNT else UNSET
    return value if isinstance(value, str) and len(value) <= MAX_ECHO else UNSET


def schema_of(wire: type[Struct]) -> dict[str, Any]:
    """Return the JSON schema of ``wire`` itself; wire Structs refer to no others."""
    (_,), components = json.schema_components([wire], schema_hook=any_json)
    return dict(components[wire.__name__])
