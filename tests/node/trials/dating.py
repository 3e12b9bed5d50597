"""Evidence whose proofs of anchors are missing or altered: what is named."""

from msgspec import structs

from salus.core.encoding import encode
from salus.node.trials import verify_evidence
from salus.node.trials.evidence import TrialEvidence, VerifyEvidence


def acts_are_dated_by_their_anchors(evidence: TrialEvidence, trust: bytes) -> None:
    """Nobody's word: a proof that is missing, of another act, batch, member or block is named, and nothing else of the chain."""
    chain, (log,) = evidence.chains[0], evidence.anchors.log
    assert [each.number for each in chain.proofs] == [at for at, each in enumerate(chain.acts, 1) if each.signature]
    assert len(chain.proofs) < len(chain.acts)
    first, last = chain.proofs[0], chain.proofs[-1]
    name = f"{chain.site} {chain.subject.hex()[:8]}: act"

    def wrong(**changed: object) -> list[str]:
        undrawn = structs.replace(evidence, draws=(), **changed)  # replaying draws takes longest, and is told elsewhere
        return list(verify_evidence(None, VerifyEvidence(file=encode(undrawn), trust=trust)).wrong)  # type: ignore[arg-type]

    def proofs(*told: object) -> list[str]:
        return wrong(chains=(structs.replace(chain, proofs=told), *evidence.chains[1:]))

    def anchored(batches: tuple[object, ...], *logs: object) -> list[str]:
        return wrong(anchors=structs.replace(evidence.anchors, batches=batches, log=logs))

    assert proofs(*chain.proofs) == []
    for told in (
        proofs(*chain.proofs[:-1]),
        proofs(*chain.proofs[:-1], structs.replace(last, salt=bytes(32))),
        proofs(*chain.proofs[:-1], structs.replace(last, data_key=b"")),
        proofs(*chain.proofs[:-1], structs.replace(last, link=b"")),
        proofs(*chain.proofs[:-1], structs.replace(last, recorded=last.recorded + 1)),
        proofs(*chain.proofs[:-1], structs.replace(last, index=first.index, batch=first.batch)),
        proofs(*chain.proofs[:-1], structs.replace(last, batch=1 << 20)),
    ):
        assert len(told) == 1
        assert told[0].startswith(name), told
        assert f"{len(chain.acts)}: when it was anchored is not proven" in told[0]

    batches = evidence.anchors.batches
    blocks = sorted({each.block for each in batches})
    early = next(at for at, each in enumerate(batches) if each.block == blocks[0])
    late = [structs.replace(each, block=blocks[-1]) if at == early else each for at, each in enumerate(batches)]
    assert "BACKDATED" in anchored(tuple(late), log)[0]
    before = tuple(structs.replace(each, block=blocks[0]) for each in batches)
    assert any(each.startswith("anchor ") and "block after it" in each for each in anchored(before, log))
    entries = tuple(entry[:9] + bytes(8) + entry[17:] if entry[0] == 2 else entry for entry in log.entries)
    for each in (
        anchored(batches, structs.replace(log, entries=entries)),
        anchored(batches, structs.replace(log, entries=log.entries[:-1])),
        anchored(batches),
    ):
        assert each[0].startswith("anchors: ")
        assert len([told for told in each if "not proven" in told]) == sum(len(one.proofs) for one in evidence.chains)
    altered = (structs.replace(batches[0], hashes=bytes(len(batches[0].hashes))), *batches[1:])
    assert anchored(altered, log)[0].startswith("anchor 0 of root ")
    other = structs.replace(batches[0], anchor=batches[1].anchor, block=batches[1].block)
    assert "the transaction anchors another root" in anchored((other, *batches[1:]), log)[0]


def no_adoption_is_left_out(evidence: TrialEvidence, trust: bytes) -> None:
    """See that a site's activation and adoptions, here of version 1 and of 2, stand as they were or are named."""
    site = evidence.sites[0]
    first, second = site.adopted
    for adopted in (
        (),
        (first,),
        (second,),
        (second, first),
        (structs.replace(first, after=second.after),),
        (first, structs.replace(second, before=first.after)),
        (first, structs.replace(second, after=structs.replace(second.after, row=first.after.row))),
    ):
        changed = structs.replace(evidence, sites=(structs.replace(site, adopted=adopted),), chains=(), draws=())
        told = verify_evidence(None, VerifyEvidence(file=encode(changed), trust=trust))  # type: ignore[arg-type]
        assert any(each.startswith(f"site {site.site}: its adoptions") for each in told.wrong)
