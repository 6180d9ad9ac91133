"""How values cross into Temporal: as plain JSON of the domain's own codec, readable in the Web UI."""

import json
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
)

from domain.codec import from_plain, to_plain


class PlainJson(EncodingPayloadConverter):
    @property
    def encoding(self) -> str:
        return "json/plain"

    def to_payload(self, value: Any) -> Payload | None:
        data = json.dumps(to_plain(value), separators=(",", ":"), ensure_ascii=False).encode()
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data)

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        plain = json.loads(payload.data)
        return plain if type_hint is None else from_plain(type_hint, plain)


class WirePayloadConverter(CompositePayloadConverter):
    def __init__(self) -> None:
        kept = [
            c
            for c in DefaultPayloadConverter().converters.values()
            if not isinstance(c, JSONPlainPayloadConverter)
        ]
        super().__init__(*kept, PlainJson())


DATA_CONVERTER = DataConverter(payload_converter_class=WirePayloadConverter)
