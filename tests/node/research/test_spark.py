"""Frames as Spark makes them of the same SQL, kept beside this test (`tools/oracles.py spark`): DuckDB's are the same."""

import json
import re
from pathlib import Path

import pytest

from salus.agreements.research.document import PATIENT, read, used
from salus.agreements.research.frame import compile_frame
from salus.node.research import figures

SPARK = json.loads((Path(__file__).parent / "oracles" / "spark.json").read_text())
TABLES = {
    name: {column: [row[place] for row in told["rows"]] for place, column in enumerate(told["columns"])}
    for name, told in SPARK["tables"].items()
}
KNOWN = {
    *("as", "avg", "cast", "chr", "coalesce", "count", "dayofyear", "floor", "greatest", "least", "max", "max_by", "min"),
    *("when", "then", "else", "min_by", "regexp_replace", "substr", "sum", "try_cast", "year", "and", "in", "or", "select", "from", "where"),
}  # fmt: skip
"""What stands before a parenthesis in SQL that Spark was seen to run."""


def query_of(statistic):
    return read(json.dumps(SPARK["document"] | {"statistic": statistic}).encode())


@pytest.mark.parametrize(
    "made", SPARK["frames"], ids=lambda made: made["statistic"].get("of") or made["statistic"]["by"][0]
)
def test_a_column_has_the_values_that_spark_gives_it(made):
    query = query_of(made["statistic"])
    own = figures.framed(query, figures.compiled(query), TABLES)
    (name,) = used(query.statistic)
    assert list(own.patients) == [patient for patient, _ in made["rows"]]
    expected = [value for _, value in made["rows"]]
    assert own.columns[name].tolist() == (
        expected if isinstance(expected[0], str) else pytest.approx(expected, rel=1e-14)
    )
    assert len({*expected}) > 1 or name == "none"
    sql = compile_frame(query, {view: tuple(columns) for view, columns in TABLES.items()})
    assert '"' not in re.sub("'[^']*'", "", sql)
    assert {word.lower() for word in re.findall(r"([a-zA-Z_]+) ?\(", re.sub("'[^']*'", "''", sql))} <= KNOWN


def test_every_column_that_can_be_compiled_was_run_there():
    assert {one["name"] for one in SPARK["document"]["columns"] if "date" not in one} == {
        one for made in SPARK["frames"] for one in used(query_of(made["statistic"]).statistic)
    }
    assert PATIENT in TABLES["events"]
