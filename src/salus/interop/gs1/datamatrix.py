"""GS1 DataMatrix written as a square symbol: ISO/IEC 16022 (ECC 200), encodation ASCII, FNC1 first, sizes 10 to 48.

Only squares: GS1 allows rectangles too, but scanners at a dock read squares of every make. What is written is an element
string as `elements.write_elements` makes it; digits go in pairs.
"""

from collections.abc import Sequence
from typing import Final

from salus.interop.gs1.elements import FNC1, Elements, write_elements
from salus.interop.gs1.refusal import Gs1Refused

SIZES: Final = (
    (10, 3, 5, 1),
    (12, 5, 7, 1),
    (14, 8, 10, 1),
    (16, 12, 12, 1),
    (18, 18, 14, 1),
    (20, 22, 18, 1),
    (22, 30, 20, 1),
    (24, 36, 24, 1),
    (26, 44, 28, 1),
    (32, 62, 36, 2),
    (36, 86, 42, 2),
    (40, 114, 48, 2),
    (44, 144, 56, 2),
    (48, 174, 68, 2),
)
"""Modules along a side, codewords of data, of error correction, regions along a side (ISO/IEC 16022 table 7)."""
CODE_FNC1: Final = 232
CODE_PAD: Final = 129
QUIET: Final = 1  # modules around the symbol (GS1 General Specifications 5.6.3.2)
POLYNOMIAL: Final = 0x12D
Matrix = tuple[tuple[bool, ...], ...]


def write_datamatrix(elements: Elements) -> Matrix:
    """Return the modules of the smallest square that holds the elements, row by row, True for dark; no quiet zone.

    Raises Gs1Refused for elements that do not hold, or do not fit into 48 by 48.
    """
    words = _codewords(write_elements(elements))
    for size, room, check, regions in SIZES:
        if len(words) <= room:
            data = _padded(words, room)
            return _framed(_placed([*data, *_check_words(data, check)], size - 2 * regions), size, regions)
    raise Gs1Refused("gs1.datamatrix", "the elements", f"at most {SIZES[-1][1]} codewords")


def svg(matrix: Matrix, title: str) -> str:
    """Return a symbol as SVG of one path, a unit for each module, with its quiet zone; `title` is its text for all."""
    side = len(matrix) + 2 * QUIET
    path = "".join(
        f"M{x + QUIET} {y + QUIET}h1v1h-1z" for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark
    )
    told = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<title>{told}</title><path fill="#fff" d="M0 0h{side}v{side}H0z"/><path d="{path}"/></svg>'
    )


def _codewords(text: str) -> list[int]:
    words, place = [CODE_FNC1], 0
    while place < len(text):
        pair = text[place : place + 2]
        if len(pair) == 2 and pair.isdigit():
            words.append(130 + int(pair))
            place += 2
        else:
            words.append(CODE_FNC1 if text[place] == FNC1 else ord(text[place]) + 1)
            place += 1
    return words


def _padded(words: list[int], room: int) -> list[int]:
    """Return data filled up to `room`: the first pad as it is, the others randomised by their place (5.2.3)."""
    padded = list(words)
    while len(padded) < room:
        if len(padded) == len(words):
            padded.append(CODE_PAD)
        else:
            value = CODE_PAD + 149 * (len(padded) + 1) % 253 + 1
            padded.append(value if value <= 254 else value - 254)
    return padded


def _tables() -> tuple[list[int], list[int]]:
    powers, logs, value = [], [0] * 256, 1
    for exponent in range(255):
        powers.append(value)
        logs[value] = exponent
        value <<= 1
        if value > 255:
            value ^= POLYNOMIAL
    return powers, logs


POWERS, LOGS = _tables()


def _times(one: int, other: int) -> int:
    return POWERS[(LOGS[one] + LOGS[other]) % 255] if one and other else 0


def _check_words(data: Sequence[int], count: int) -> list[int]:
    """Return the Reed-Solomon check words over GF(256), roots 2^1 to 2^count (annex E)."""
    generator = [1]
    for root in range(1, count + 1):
        shifted = [*generator, 0]
        for place, factor in enumerate(generator):
            shifted[place + 1] ^= _times(factor, POWERS[root])
        generator = shifted
    rest = [0] * count
    for word in data:
        lead = word ^ rest[0]
        rest = [*rest[1:], 0]
        for place in range(count):
            rest[place] ^= _times(lead, generator[place + 1])
    return rest


UTAH: Final = ((-2, -2), (-2, -1), (-1, -2), (-1, -1), (-1, 0), (0, -2), (0, -1), (0, 0))


class _Placing:
    """The mapping matrix of annex F, of `side` by `side` modules."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.modules: dict[tuple[int, int], tuple[int, int]] = {}
        """(row, column) to (place of the codeword, bit from the most significant)."""
        self.word = 0

    def put(self, spots: Sequence[tuple[int, int]]) -> None:
        """Place the next codeword's eight bits."""
        for bit, (row, column) in enumerate(spots):
            self.modules[row % self.side, column % self.side] = (self.word, bit)
        self.word += 1

    def utah(self, row: int, column: int) -> None:
        """Place a codeword in the standard shape, wrapped around where it passes an edge."""
        spots, wrap = [], 4 - (self.side + 4) % 8
        for down, right in UTAH:
            y, x = row + down, column + right
            if y < 0:
                y, x = y + self.side, x + wrap
            if x < 0:
                y, x = y + wrap, x + self.side
            spots.append((y, x))
        self.put(spots)

    def corner(self, row: int, column: int) -> None:
        """Place a codeword in one of the four corner shapes, where the sweep comes to a place that has one."""
        last = self.side - 1
        right = [(0, last), (1, last), (2, last), (3, last)]
        below = [(last - 2, 0), (last - 1, 0), (last, 0)]
        if (row, column) == (self.side, 0):
            self.put([(last, 0), (last, 1), (last, 2), (0, last - 1), *right])
        if (row, column) == (self.side - 2, 0) and self.side % 4:
            self.put([*below, (0, last - 3), (0, last - 2), (0, last - 1), (0, last), (1, last)])
        if (row, column) == (self.side - 2, 0) and self.side % 8 == 4:
            self.put([*below, (0, last - 1), *right])
        if (row, column) == (self.side + 4, 2) and self.side % 8 == 0:
            top = [(0, last - 2), (0, last - 1), (0, last), (1, last - 2), (1, last - 1), (1, last)]
            self.put([(last, 0), (last, last), *top])

    def sweep(self) -> None:
        """Place every codeword, diagonal by diagonal."""
        row, column = 4, 0
        while row < self.side or column < self.side:
            self.corner(row, column)
            while True:
                if row < self.side and column >= 0 and (row, column) not in self.modules:
                    self.utah(row, column)
                row, column = row - 2, column + 2
                if row < 0 or column >= self.side:
                    break
            row, column = row + 1, column + 3
            while True:
                if row >= 0 and column < self.side and (row, column) not in self.modules:
                    self.utah(row, column)
                row, column = row + 2, column - 2
                if row >= self.side or column < 0:
                    break
            row, column = row + 3, column + 1


def _placed(words: Sequence[int], side: int) -> list[list[bool]]:
    placing = _Placing(side)
    placing.sweep()
    matrix = [[False] * side for _ in range(side)]
    for (row, column), (word, bit) in placing.modules.items():
        matrix[row][column] = bool(words[word] >> (7 - bit) & 1)
    last = side - 1
    if (last, last) not in placing.modules:  # what no codeword fills in the last corner is dark, light, light, dark
        matrix[last][last] = matrix[last - 1][last - 1] = True
    return matrix


def _framed(inner: list[list[bool]], size: int, regions: int) -> Matrix:
    """Return the symbol: each region with its solid sides left and below, its dotted ones above and right."""
    side = size // regions
    rows = []
    for y in range(size):
        row = []
        for x in range(size):
            down, right = y % side, x % side
            if right == 0 or down == side - 1:
                row.append(True)
            elif down == 0:
                row.append(right % 2 == 0)
            elif right == side - 1:
                row.append(down % 2 == 1)
            else:
                row.append(inner[y - 2 * (y // side) - 1][x - 2 * (x // side) - 1])
        rows.append(tuple(row))
    return tuple(rows)
