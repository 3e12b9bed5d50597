"""Read FHIRPath text into a tree: precedence climbing over the grammar of N1, appendix B."""

from decimal import Decimal
from typing import Final

from salus.interop.fhir.fhirpath.errors import ExpressionMalformed, LimitExceeded
from salus.interop.fhir.fhirpath.lexer import Token, tokens
from salus.interop.fhir.fhirpath.quantity import Quantity, named
from salus.interop.fhir.fhirpath.syntax import (
    Binary,
    Call,
    Constant,
    Index,
    Literal,
    Member,
    Node,
    TypeTest,
    Unary,
    Variable,
)
from salus.interop.fhir.fhirpath.temporal import Temporal, parse_date, parse_date_time, parse_time

MAX_DEPTH = 64  # nested parentheses, arguments and signs; the R4 definitions stay below 12
MAX_LEVELS = 200  # levels of the tree, each a level of the closures; a chain of steps or operators makes one level each

# binding strength by operator, loosest first (N1 6.8)
_STRENGTH: Final = {
    "implies": 1, "or": 2, "xor": 2, "and": 3, "in": 4, "contains": 4, "=": 5, "~": 5, "!=": 5, "!~": 5,
    "<=": 6, "<": 6, ">": 6, ">=": 6, "|": 7, "is": 8, "as": 8, "+": 9, "-": 9, "&": 9,
    "*": 10, "/": 10, "div": 10, "mod": 10,
}  # fmt: skip
_RESERVED: Final = frozenset({"and", "or", "xor", "implies", "div", "mod", "true", "false"})


class _Parser:
    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.tokens = tokens(expression)
        self.position = 0
        self.depth = 0

    @property
    def here(self) -> Token:
        return self.tokens[self.position]

    def fail(self, what: str, token: Token | None = None) -> ExpressionMalformed:
        return ExpressionMalformed(what, self.expression, (token or self.here).offset)

    def take(self) -> Token:
        token = self.here
        self.position += 1
        return token

    def at(self, symbol: str) -> bool:
        return self.here.kind == "symbol" and self.here.text == symbol

    def expect(self, symbol: str) -> Token:
        if not self.at(symbol):
            found = "the end" if self.here.kind == "end" else repr(self.here.text)
            raise self.fail(f"expected {symbol!r}, found {found}")
        return self.take()

    def parse(self, loosest: int = 1) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise LimitExceeded(f"expression is nested deeper than {MAX_DEPTH}")
        left = self.unary()
        while True:
            token = self.here
            strength = _STRENGTH.get(token.text, 0) if token.kind in {"symbol", "word"} else 0
            if strength < loosest or not strength:
                break
            self.take()
            if token.text in {"is", "as"}:
                left = TypeTest(token.text, left, self.type_name(), token.offset)
            else:
                left = Binary(token.text, left, self.parse(strength + 1), token.offset)
        self.depth -= 1
        return left

    def unary(self) -> Node:
        signs: list[Token] = []
        while self.at("-") or self.at("+"):
            signs.append(self.take())
        operand = self.postfix()
        for sign in reversed(signs):
            operand = Unary(sign.text, operand, sign.offset)
        return operand

    def postfix(self) -> Node:
        node = self.term()
        while True:
            if self.at("."):
                self.take()
                node = self.invocation(node)
            elif self.at("["):
                bracket = self.take()
                index = self.parse()
                self.expect("]")
                node = Index(node, index, bracket.offset)
            else:
                return node

    def invocation(self, target: Node | None) -> Node:
        token = self.here
        if token.kind == "dollar" and target is not None:
            raise self.fail(f"{token.text} cannot follow a dot")
        if token.kind == "name" or (token.kind == "word" and (token.text not in _RESERVED)):
            self.take()
        else:
            found = "the end" if token.kind == "end" else repr(token.text)
            raise self.fail(f"expected an element or function name, found {found}")
        if not self.at("("):
            return Member(target, token.text, token.offset)
        self.take()
        arguments: list[Node] = []
        if not self.at(")"):
            arguments.append(self.parse())
            while self.at(","):
                self.take()
                arguments.append(self.parse())
        self.expect(")")
        return Call(target, token.text, tuple(arguments), token.offset)

    def term(self) -> Node:  # noqa: PLR0911  # one line for each kind of term
        token = self.here
        if token.kind == "symbol":
            return self.bracketed()
        if token.kind in {"word", "name"} and not (token.kind == "word" and token.text in {"true", "false"}):
            return self.invocation(None)
        self.take()
        if token.kind == "dollar":
            return Variable(token.text[1:], token.offset)
        if token.kind == "constant":
            return Constant(token.text, token.offset)
        if token.kind == "string":
            return Literal(token.text, token.offset)
        if token.kind == "word":
            return Literal(token.text == "true", token.offset)
        if token.kind == "number":
            return self.number(token)
        if token.kind in {"date", "dateTime", "time"}:
            return self.moment(token)
        raise self.fail("expected an expression, found the end", token)

    def bracketed(self) -> Node:
        token = self.take()
        if token.text == "(":
            node = self.parse()
            self.expect(")")
            return node
        if token.text == "{":
            self.expect("}")
            return Literal(None, token.offset)
        raise self.fail(f"unexpected {token.text!r}", token)

    def number(self, token: Token) -> Node:
        following = self.here
        value = Decimal(token.text)
        if following.kind == "string":
            self.take()
            # '1 \'day\'' is written by some: a calendar word in quotes is that word (N1 2.1.6.1 lists the codes apart)
            quantity = named(value, following.text) or Quantity(value, following.text)
            return Literal(quantity, token.offset)
        calendar = named(value, following.text) if following.kind == "word" else None
        if calendar:
            self.take()
            return Literal(calendar, token.offset)
        return Literal(value if "." in token.text else int(token.text), token.offset)

    def moment(self, token: Token) -> Node:
        text = token.text[1:]
        value: Temporal | None
        if token.kind == "time":
            value = parse_time(text[1:])
        elif token.kind == "dateTime":
            value = parse_date_time(text)
        else:
            value = parse_date(text)
        if value is None:
            raise self.fail(f"{token.text} is no {token.kind}", token)
        return Literal(value, token.offset)

    def type_name(self) -> str:
        parts = [self.type_part()]
        while self.at(".") and self.tokens[self.position + 1].kind in {"word", "name"} and len(parts) < 2:
            if parts[0] not in {"System", "FHIR"}:
                break
            self.take()
            parts.append(self.type_part())
        return ".".join(parts)

    def type_part(self) -> str:
        if self.here.kind not in {"word", "name"}:
            raise self.fail("expected a type name")
        return self.take().text


def parse(expression: str) -> Node:
    """Read one expression. Raises ExpressionMalformed with the offset, LimitExceeded beyond the bounds of this module."""
    parser = _Parser(expression)
    if parser.here.kind == "end":
        raise parser.fail("the expression is empty")
    node = parser.parse()
    if parser.here.kind != "end":
        raise parser.fail(f"unexpected {parser.here.text!r}")
    if _levels(node) > MAX_LEVELS:
        raise LimitExceeded(f"expression has more than {MAX_LEVELS} levels of steps and operators")
    return node


def _levels(node: Node) -> int:
    """Count the levels of a tree, without recursion."""
    deepest = 0
    rest: list[tuple[object, int]] = [(node, 1)]
    while rest:
        one, level = rest.pop()
        deepest = max(deepest, level)
        if isinstance(one, Call):
            rest.extend((argument, level + 1) for argument in one.arguments)
        if isinstance(one, Member | Call | Index | Unary | Binary | TypeTest):
            rest.extend((child, level + 1) for child in one if isinstance(child, tuple))
    return deepest


def type_specifier(node: Node) -> str | None:
    """Return the type that an argument of is(), as() or ofType() names; None when it names none."""
    if isinstance(node, Member) and node.target is None:
        return node.name
    if isinstance(node, Member) and isinstance(node.target, Member) and node.target.target is None:
        return f"{node.target.name}.{node.name}"
    return None
