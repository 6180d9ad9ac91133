"""What the sandbox remembers: objects by kind and id, as JSON, in memory and if wanted in a journal on disk."""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

Json = dict[str, Any]


class Store:
    """Objects by kind and id, in order of arrival. `clock` gives seconds since 1970; only `created` uses it.

    The journal has a line for each change, so that a restart goes on from the last whole line; it is rewritten
    without its past when it is opened.
    """

    def __init__(self, clock: Callable[[], int], journal: Path | None = None) -> None:
        self.clock = clock
        self._kinds: dict[str, dict[str, Json]] = {}
        self._journal: TextIO | None = None
        if journal is not None:
            self._replay(journal)
            self._journal = self._rewritten(journal)

    def new(self, kind: str, prefix: str, fields: Json) -> Json:
        """Keep a new object under an id of its own; return it."""
        made = {"id": f"{prefix}_{secrets.token_hex(12)}", "created": self.clock(), **fields}
        return self.put(kind, made["id"], made)

    def put(self, kind: str, name: str, value: Json) -> Json:
        self._kinds.setdefault(kind, {})[name] = value
        self._write(kind, name, value)
        return value

    def get(self, kind: str, name: str) -> Json | None:
        return self._kinds.get(kind, {}).get(name)

    def remove(self, kind: str, name: str) -> None:
        self._kinds.get(kind, {}).pop(name, None)
        self._write(kind, name, None)

    def names(self, kind: str) -> tuple[str, ...]:
        return tuple(self._kinds.get(kind, ()))

    def newest_first(self, kind: str) -> Iterator[Json]:
        return reversed(list(self._kinds.get(kind, {}).values()))

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()

    def _write(self, kind: str, name: str, value: Json | None) -> None:
        if self._journal is not None:
            self._journal.write(json.dumps([kind, name, value]) + "\n")
            self._journal.flush()

    def _replay(self, journal: Path) -> None:
        if not journal.exists():
            return
        for line in journal.read_text(encoding="utf-8").splitlines():
            try:
                kind, name, value = json.loads(line)
            except ValueError:  # cut off by a crash: it was never answered for
                break
            if value is None:
                self._kinds.get(kind, {}).pop(name, None)
            else:
                self._kinds.setdefault(kind, {})[name] = value

    def _rewritten(self, journal: Path) -> TextIO:
        journal.parent.mkdir(parents=True, exist_ok=True)
        fresh = journal.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as lines:
            for kind, objects in self._kinds.items():
                for name, value in objects.items():
                    lines.write(json.dumps([kind, name, value]) + "\n")
        os.replace(fresh, journal)
        return journal.open("a", encoding="utf-8")
