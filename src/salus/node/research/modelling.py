"""A custodian's frame as a model's contribution, with the columns that the leverage gate judges. Needs the extra `research`."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from salus.agreements.research import gate, models, scaling
from salus.agreements.research.document import Cox, Linear, QueryRefused
from salus.agreements.research.models import Contribution, Matrix
from salus.node.research.figures import Frame


class Local(NamedTuple):
    """One custodian's side of a model."""

    patients: tuple[str, ...]
    """Link ids, hexadecimal, a row each."""
    width: int
    contribution: Contribution
    speaks_of: Callable[[Matrix, int], tuple[Matrix, int]]
    """(β, turn) → the columns that the sums of a turn speak of, and the fewest persons that one of its means rests on."""


def local(own: Frame) -> Local:
    """Return what a frame contributes to the model that its document asks for. Raises QueryRefused, NoFit."""
    model = scaling.model_of(own.query)
    if model is None:
        raise QueryRefused("statistic", "a model leaves exactly, tables leave with noise")
    columns = scaling.terms(own.query, model)
    _, plain = own.design(model.on, constant=not isinstance(model, Cox))
    design = scaling.scaled(plain, columns)
    if isinstance(model, Cox):
        time, event = own.numbers(model.time), own.numbers(model.event)
        return Local(
            own.patients,
            len(columns),
            models.cox(design, time, event),
            lambda beta, _: gate.hazards(design, time, event, beta),
        )
    centre, half = scaling.outcome_scale(own.query, model)
    outcome = (own.numbers(model.outcome) - centre) / half
    first = gate.released(design, outcome)
    if isinstance(model, Linear):
        return Local(
            own.patients, len(columns), models.least_squares(design, outcome), lambda _beta, _: (first, own.count)
        )

    def speaks_of(beta: Matrix, turn: int) -> tuple[Matrix, int]:
        return (np.column_stack([first, gate.stepped(design, beta)]) if turn else first, own.count)

    return Local(own.patients, len(columns), models.logistic(design, outcome), speaks_of)
