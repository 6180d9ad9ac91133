"""What a meter measures of an event: arithmetic over its properties, exact, and never the code of anyone.

expression = term {("+" | "-") term}
term       = factor {"*" factor}
factor     = ["-"] factor | decimal | property | "(" expression ")"
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, assert_never

from domain.errors import Invalid
from domain.metering.properties import IN_EXPRESSIONS, Property, property_at
from domain.reading import decimal, text

MOST_OPERANDS = 50  # a product of them still has digits that can be written
DEEPEST = 20

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<number>[0-9]+(?:\.[0-9]+)?)"
    rf"|(?P<property>{IN_EXPRESSIONS})|(?P<symbol>[-+*()])|(?P<unknown>.)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Number:
    value: Fraction


@dataclass(frozen=True, slots=True)
class Negation:
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Operation:
    operator: Literal["+", "-", "*"]
    left: "Expression"
    right: "Expression"


Expression = Number | Property | Negation | Operation


def evaluate(expression: Expression, properties: Mapping[str, object]) -> Fraction:
    """The exact value; raises Invalid, at the property, where one is missing or not an exact number."""
    match expression:
        case Number(value):
            return value
        case Property():
            return _number(expression, properties)
        case Negation(operand):
            return -evaluate(operand, properties)
        case Operation(operator, left, right):
            return _calculated(operator, evaluate(left, properties), evaluate(right, properties))
        case _:
            assert_never(expression)


def _calculated(operator: Literal["+", "-", "*"], left: Fraction, right: Fraction) -> Fraction:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            assert_never(operator)


def _number(named: Property, properties: Mapping[str, object]) -> Fraction:
    found = named.of(properties)
    if found is None:
        raise named.fault("is required by a meter")
    try:
        return decimal(found)
    except Invalid as invalid:
        raise named.fault(str(invalid)) from None


def read_expression(value: object) -> Expression:
    """`tokens`, `usage.total`, `input + 4 * output`, `(a - ["b-c"]) * 0.001`: at most 50 operands, 20 deep."""
    return _Parser(text(value)).whole()


class _Parser:
    def __init__(self, source: str) -> None:
        found = _TOKEN.finditer(source)
        self._tokens = [(m.lastgroup, m.group()) for m in found if m.lastgroup != "space"]
        self._tokens.append(("end", "its end"))
        self._tokens.reverse()  # the next is the last
        self._operands = 0

    def whole(self) -> Expression:
        expression = self._sum(0)
        if self._next[0] != "end":
            raise self._unexpected("an operator")
        return expression

    def _sum(self, depth: int) -> Expression:
        left = self._product(depth)
        while (sign := self._next[1]) in ("+", "-"):
            self._tokens.pop()
            left = Operation("+" if sign == "+" else "-", left, self._product(depth))
        return left

    def _product(self, depth: int) -> Expression:
        left = self._factor(depth)
        while self._next[1] == "*":
            self._tokens.pop()
            left = Operation("*", left, self._factor(depth))
        return left

    def _factor(self, depth: int) -> Expression:
        if depth > DEEPEST:
            raise Invalid.at("", f"must be at most {DEEPEST} parentheses deep")
        match self._next:
            case "symbol", "-":
                self._tokens.pop()
                return Negation(self._factor(depth + 1))
            case "symbol", "(":
                self._tokens.pop()
                return self._closed(self._sum(depth + 1))
            case (("number" | "property"), _):
                return self._operand()
            case _:
                raise self._unexpected("a property, a decimal or (")

    def _closed(self, inner: Expression) -> Expression:
        if self._next[1] != ")":
            raise self._unexpected("an operator or )")
        self._tokens.pop()
        return inner

    def _operand(self) -> Expression:
        self._operands += 1
        if self._operands > MOST_OPERANDS:
            raise Invalid.at("", f"must have at most {MOST_OPERANDS} operands")
        kind, source = self._tokens.pop()
        return Number(decimal(source)) if kind == "number" else property_at(source)

    @property
    def _next(self) -> tuple[str | None, str]:
        return self._tokens[-1]

    def _unexpected(self, expected: str) -> Invalid:
        if self._next[1] == "/":
            return Invalid.at("", "cannot divide: multiply by a decimal, like 0.001")
        return Invalid.at("", f"has {self._next[1]} where {expected} is expected")
