"""Values taken apart and changed leaf by leaf, driven by their types: for tests that walk every field there is."""

from msgspec import inspect, structs

MOST_BYTES = 2048  # of a field whose type sets no limit; none of ours is one
MOST_ITEMS = 256


def leaves(value, kind, path=()):
    """Yield (path, type, value) of a value and of everything in it, at most two items of a tuple."""
    yield path, kind, value
    if isinstance(kind, inspect.UnionType):
        for each in kind.types:
            if isinstance(each, inspect.StructType) and type(value) is each.cls:
                yield from leaves(value, each, path)
    elif isinstance(kind, inspect.StructType):
        for field in kind.fields:
            yield from leaves(getattr(value, field.name), field.type, (*path, field.name))
    elif isinstance(kind, inspect.VarTupleType):
        for place, item in enumerate(value[:2]):
            yield from leaves(item, kind.item_type, (*path, place))


def replaced(value, path, new):
    """Return `value` with what stands at `path` replaced."""
    if not path:
        return new
    first, *rest = path
    if isinstance(first, int):
        items = list(value)
        items[first] = replaced(items[first], rest, new)
        return tuple(items)
    return structs.replace(value, **{first: replaced(getattr(value, first), rest, new)})


def extremes(kind, value, members=()):
    """Return the ends of a type: least and most of a number, shortest and longest, every word of an enumeration."""
    match kind:
        case inspect.IntType():
            low = -(1 << 63) if kind.ge is None else kind.ge
            high = (1 << 64) - 1 if kind.le is None else kind.le
            ends = [low, high, min(low + 1, high), max(high - 1, low)]
        case inspect.EnumType():
            ends = list(kind.cls)
        case inspect.BoolType():
            ends = [True, False]
        case inspect.BytesType():
            low, high = kind.min_length or 0, MOST_BYTES if kind.max_length is None else kind.max_length
            ends = [bytes(low), b"\xff" * high, bytes(min(low + 1, high)), (value + bytes(high))[:high]]
        case inspect.StrType():
            ends = [*members, "no-such-member", ""]
        case inspect.VarTupleType():
            low, high = kind.min_length or 0, MOST_ITEMS if kind.max_length is None else kind.max_length
            longer = [(value * high)[:high], value + value[-1:]] if value else []
            ends = [value[:low], value[:1], value[::-1], (), *longer]
        case _:
            ends = []
    return ends
