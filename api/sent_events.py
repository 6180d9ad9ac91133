"""Bodies of `POST /v1/events`: one event, a list, lines, or CloudEvents. Each event is read on its own, so that a bad one is
named and the others are kept.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from starlette.exceptions import HTTPException

from api.bodies import named_once
from db.events import RejectedEvent
from domain.errors import Invalid
from domain.metering.incoming import IncomingEvent, name, read_event, read_properties
from domain.reading import Fields, InexactNumber, instant, one_of, text

MOST_EVENTS = 1_000
MOST_LINES = 10_000

JSON = "application/json"
LINES = "application/x-ndjson"
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"

# The attributes of a CloudEvent that are looked at. What an extension adds beyond them is nobody's fault.
CLOUD_ATTRIBUTES = (
    *("specversion", "id", "source", "type", "subject", "time"),
    *("datacontenttype", "data", "data_base64", "subscription"),
)
# What our members are called there, for the paths of faults.
CLOUD_NAMES = {"event_name": "type", "customer": "subject", "properties": "data"}

_decoder = msgspec.json.Decoder(float_hook=InexactNumber)
_encoder = msgspec.json.Encoder(enc_hook=lambda inexact: 0)  # no text: it was sent without quotes


@dataclass(frozen=True, slots=True)
class SentEvents:
    """The events that could be read, with their places in what was sent, and the refusals of the others. `names` are
    what their sender calls members of ours.
    """

    places: Sequence[int]
    events: Sequence[IncomingEvent]
    refused: Sequence[RejectedEvent]
    names: Mapping[str, str]

    def in_body(self, rejected: RejectedEvent) -> RejectedEvent:
        """The refusal of one of `events`, as its sender knows it."""
        member, dot, rest = rejected.path.partition(".")
        path = self.names.get(member, member) + dot + rest
        return replace(rejected, index=self.places[rejected.index], path=path)


def read_body(body: bytes, content_type: str) -> SentEvents:
    """Read a body by its media type. Raises `Invalid` for what is no JSON or too many events, and an HTTPException for
    another type of body.
    """
    match content_type.partition(";")[0].strip().lower():
        case "" | "application/json":
            return _read_each(_one_or_more(_json(body)), read_event, {})
        case "application/x-ndjson":
            return _read_each(_lines(body), read_event, {})
        case "application/cloudevents+json":
            return _read_each([_json(body)], read_cloud_event, CLOUD_NAMES)
        case "application/cloudevents-batch+json":
            return _read_each(_several(_json(body)), read_cloud_event, CLOUD_NAMES)
        case other:
            expected = ", ".join((JSON, LINES, CLOUD_EVENT, CLOUD_EVENTS))
            raise HTTPException(415, f"events come as {expected}, not as {other}")


def read_cloud_event(value: object) -> IncomingEvent:
    """A CloudEvent 1.0 in its JSON format: `id`, `type`, `subject`, `time` and `data` are our `id`, `event_name`,
    `customer`, `time` and `properties`; an extension `subscription` is our own. Ids are unique whatever the `source`.
    """
    if not isinstance(value, Mapping):
        raise Invalid.at("", "must be an object")
    fields = Fields({known: value[known] for known in CLOUD_ATTRIBUTES if known in value})
    fields.required("specversion", one_of("1.0"))
    fields.required("source", text)
    fields.optional("datacontenttype", _json_type, None)
    fields.nullable("data_base64", _no_object)
    event = IncomingEvent(
        id=fields.required("id", name),
        event_name=fields.required("type", name),
        customer=fields.required("subject", name),
        time=fields.nullable("time", instant),
        properties=fields.optional("data", read_properties, {}),
        subscription=fields.nullable("subscription", name),
    )
    fields.done()
    return event


def _json_type(value: object) -> None:
    if text(value).partition(";")[0].strip().lower() != JSON:
        raise Invalid.at("", f"must be {JSON}")


def _no_object(value: object) -> None:
    raise Invalid.at("", "is no object: send it as `data`")


def _read_each(
    values: Iterable[object], read: Callable[[object], IncomingEvent], names: Mapping[str, str]
) -> SentEvents:
    places: list[int] = []
    events: list[IncomingEvent] = []
    refused: list[RejectedEvent] = []
    for place, value in enumerate(values):
        try:
            if isinstance(value, Invalid):
                raise value
            events.append(read(value))
        except Invalid as invalid:
            fault = invalid.faults[0]
            refused.append(RejectedEvent(place, _id_of(value), fault.path, fault.message))
        else:
            places.append(place)
    return SentEvents(places, events, refused, names)


def _json(body: bytes) -> object:
    try:
        value = _decoder.decode(body)
        if not _has_every_member(body, value):
            json.loads(body, parse_int=str, parse_float=str, object_pairs_hook=named_once)
        return value
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid.at("", f"is not JSON: {error}") from None
    except RecursionError:
        raise Invalid.at("", "is nested too deep") from None
    except ValueError as error:
        raise Invalid.at("", str(error)) from None


def _has_every_member(body: bytes, value: object) -> bool:
    """Whether no member of an object was lost to another of its name: by the quotes around texts, which are as many when
    the value is written again. Quick, and not to be told where there are escapes.
    """
    return b"\\" not in body and _encoder.encode(value).count(b'"') == body.count(b'"')


def _one_or_more(value: object) -> Sequence[object]:
    return _several(value) if isinstance(value, list) else [value]


def _several(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise Invalid.at("", "must be a list of events")
    if len(value) > MOST_EVENTS:
        raise Invalid.at("", f"must have at most {MOST_EVENTS} events")
    return value


def _lines(body: bytes) -> Iterator[object]:
    """The value of each line that is not empty, or what is wrong with it."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        raise Invalid.at("", f"must have at most {MOST_LINES} lines")
    for line in lines:
        try:
            yield _json(line)
        except Invalid as invalid:
            yield invalid


def _id_of(value: object) -> str | None:
    """The id of an event that cannot be kept, where it has one that can be told."""
    told = value.get("id") if isinstance(value, Mapping) else None
    return told if isinstance(told, str) and not isinstance(told, InexactNumber) else None
