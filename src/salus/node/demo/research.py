"""The chapter of research: five custodians and a university on one ledger; the records of each stay with it."""

import gzip
import json
import secrets
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from salus.contracts.membership.port import Candidate, Genesis, Parameters, Role, possession_bytes
from salus.contracts.registry import REGISTRY
from salus.contracts.research.port import (
    Answer,
    Apply,
    Basis,
    Begin,
    Offer,
    Policy,
    Purpose,
    Register,
    Retry,
    Sign,
    Way,
    pool,
)
from salus.core.encoding import Message, encode
from salus.core.kernel import Kernel
from salus.core.transaction import build_body, sign_body
from salus.engines.embedded import Embedded, found
from salus.engines.store import lmdb_store
from salus.node.demo.samples import samples_folder
from salus.node.demo.telling import Telling
from salus.node.errors import Refused, Unavailable

HOSPITALS: Final = ("east", "north", "south", "west")
CUSTODIANS: Final = ("clinic", *HOSPITALS)
DAY: Final = 86_400_000
VARIANCE: Final = 100  # σ = 10 persons
POOL: Final = 10_000_000  # micro-ρ, as the parameters stand
DELTA: Final = 1e-6
SMALLEST: Final = 10


@dataclass
class _Scene:
    """What the chapter keeps between its steps."""

    telling: Telling
    keys: dict[str, Ed25519PrivateKey]
    ledger: Embedded
    network: bytes
    persons: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    permit: bytes = b""

    def send(self, message: Message, by: str) -> bytes:
        """Send a message and return its result data. Raises Refused."""
        key = self.keys[by]
        body = build_body(
            message,
            network=self.network,
            submitter=by,
            submitter_key=key.public_key().public_bytes_raw(),
            expiry=int(time.time() * 1000) + 300_000,
            nonce=secrets.token_bytes(16),
            author_key=b"",
        )
        outcome = self.ledger.submit(sign_body(body, key, author_signature=b"")).result(10)
        if outcome.refusal is not None:
            raise Refused(outcome.refusal)
        return outcome.data


def _data_set(member: str) -> bytes:
    return member.encode().ljust(16, b".")


def _found(telling: Telling) -> _Scene:
    keys = {name: Ed25519PrivateKey.generate() for name in sorted((*CUSTODIANS, "body", "company", "university"))}
    members = []
    for name, key in keys.items():
        public, receive = key.public_key().public_bytes_raw(), secrets.token_bytes(1216)
        members.append(
            Candidate(
                id=name,
                name=name.title(),
                roles=(Role.RESEARCHER,) if name in ("company", "university") else (Role.PROVIDER,),
                jurisdiction="DE",
                endpoint="",
                signing_key=public,
                receive_key=receive,
                possession=key.sign(possession_bytes(name, public, receive)),
            )
        )
    now = int(time.time() * 1000)
    document = Genesis(
        format=1, name="research", time=now, rules=1, parameters=Parameters(bytes(32)), members=tuple(members)
    )
    store, kernel = lmdb_store(telling.folder / "ledger", map_bytes=1 << 26), Kernel(REGISTRY)
    found(store, kernel, encode(document), now)
    ledger = Embedded(store, kernel, lambda: int(time.time() * 1000))
    return _Scene(telling, keys, ledger, store.chain().network)


class Research:
    """The chapter."""

    name = "research"
    title = "Research on shared data, without the data leaving"
    budget_seconds = 90

    def tell(self, telling: Telling, source: Path | None) -> None:
        """Tell it on the samples, or on the files of `source`, one for each of the five custodians. Raises StoryEnds."""
        missing = [name for name in ("duckdb", "numpy", "opendp") if find_spec(name) is None]
        if missing:
            todo = "install salus-health[research]"
            raise Unavailable("research.extra", "the numeric libraries are not installed", todo=todo)
        from salus.node.demo import questions  # noqa: PLC0415 -- the extra may not be installed

        folder = source or samples_folder() / "research"
        scene = _found(telling)
        try:
            _permit(scene, folder)
            questions.tell(scene, (folder / "query.json").read_bytes())
        finally:
            scene.ledger.close()
        telling.notes += [
            "All members run in this process; the ledger, its contract, the noise, masks and proofs are the product's own.",
            "Choices of patients are drawn here and are no grants; frames come from files, not from sealed records.",
        ]
        telling.next_commands += ["salus research check --query samples/research/query.json"]


def _permit(scene: _Scene, folder: Path) -> None:
    telling = scene.telling
    with telling.step("Five custodians offer their data", "What it may be used for stands on the ledger.") as step:
        for name in CUSTODIANS:
            lines = gzip.decompress((folder / f"{name}.ndjson.gz").read_bytes()).splitlines()
            scene.persons[name] = [json.loads(line) for line in lines]
            ways = (Way.NOISY,) if name == "clinic" else (Way.EXACT, Way.NOISY)
            policy = Policy(6, (21, 46))
            offer = Offer(_data_set(name), bytes(32), policy, Basis.CONSENT, ways, SMALLEST, POOL, ("body",))
            scene.send(offer, name)
        step.figure("patients", sum(r["resourceType"] == "Patient" for rows in scene.persons.values() for r in rows))
    data_sets = tuple(map(_data_set, CUSTODIANS))
    ends = int(time.time() * 1000) + 300 * DAY
    with telling.step(
        "A study that does not fit is refused", "Every node refuses it, by the class that does not fit."
    ) as step:
        commercial = Purpose((37,), commercial=True)
        try:
            scene.send(Apply(bytes(16), data_sets, commercial, "A product.", ends, bytes(32)), "company")
        except Refused as refusal:
            step.figure("a commercial study", f"refused ({refusal.code}; {refusal.got})")
            step.holds("the class is named", "DUO:0000046" in refusal.got)
        else:
            step.holds("a commercial study is refused", truth=False)
    with telling.step("A study gets its permit", "It holds where custodian and data-access body have signed.") as step:
        scene.permit = secrets.token_bytes(16)
        study = Purpose((37,), non_profit=True, commercial=False)
        scene.send(Apply(scene.permit, data_sets, study, "Who has high blood pressure?", ends, bytes(32)), "university")
        for name, data_set in zip(CUSTODIANS, data_sets, strict=True):
            scene.send(Sign(scene.permit, data_set), name)
            scene.send(Sign(scene.permit, data_set), "body")
        step.figure("signatures", 2 * len(CUSTODIANS))


def ask(scene: _Scene, commitment: bytes, names: tuple[str, ...], way: Way, variance: int = 0) -> bytes:
    """Register a question and return its id. Raises Refused."""
    query = secrets.token_bytes(16)
    data_sets = tuple(map(_data_set, names))
    noise = (1, variance) if way is Way.NOISY else (0, 0)
    scene.send(Register(query, scene.permit, data_sets, commitment, way, *noise), "university")
    return query


def begin(scene: _Scene, query: bytes, name: str, root: bytes) -> None:
    """Let a custodian begin. Raises Refused."""
    scene.send(Begin(query, _data_set(name), root), name)


def commit(scene: _Scene, query: bytes, name: str, commitment: bytes) -> None:
    """Let a custodian commit to its answer. Raises Refused."""
    scene.send(Answer(query, _data_set(name), commitment), name)


def go_on(scene: _Scene, query: bytes, dropped: tuple[str, ...]) -> None:
    """Put a new attempt on record, without custodians that dropped out. Raises Refused."""
    scene.send(Retry(query, tuple(map(_data_set, dropped))), "university")


def left(scene: _Scene, name: str) -> int:
    """Return what is free of a custodian's budget, micro-ρ."""
    state = scene.ledger.read()
    return pool(state, name, int(time.time() * 1000)).free


CHAPTER: Final = Research()
