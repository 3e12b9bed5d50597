"""The messages of ABCI 2.0, built from one table of field numbers.

Source of the numbers: `proto/tendermint/abci/types.proto` of CometBFT v0.40.0, a superset of v0.38, so that one
server serves both. Scalars: s string, b bytes, i int64, u uint64, u4 uint32, o bool, e an enumeration (int32 on the
wire); a capitalised name is a message; a leading `*` is repeated. Enumerations stay numbers, named in `application`.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_SCALARS: Final = {
    "s": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "b": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "i": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "u": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "u4": descriptor_pb2.FieldDescriptorProto.TYPE_UINT32,
    "i4": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "o": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "e": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
}

_TABLE: Final = """
Timestamp: seconds 1 i, nanos 2 i4
Duration: seconds 1 i, nanos 2 i4
PublicKey: ed25519 1 b, secp256k1 2 b, bls12381 3 b, mldsa65 4 b, secp256k1eth 5 b
Validator: address 1 b, power 3 i
ValidatorUpdate: pub_key 1 PublicKey, power 2 i
BlockParams: max_bytes 1 i, max_gas 2 i
EvidenceParams: max_age_num_blocks 1 i, max_age_duration 2 Duration, max_bytes 3 i
ValidatorParams: pub_key_types 1 *s
VersionParams: app 1 u
AbciParams: vote_extensions_enable_height 1 i
AuthorityParams: authority 1 s
ConsensusParams: block 1 BlockParams, evidence 2 EvidenceParams, validator 3 ValidatorParams, version 4 VersionParams, \
abci 5 AbciParams, authority 6 AuthorityParams
VoteInfo: validator 1 Validator, block_id_flag 3 e
CommitInfo: round 1 i4, votes 2 *VoteInfo
ExtendedVoteInfo: validator 1 Validator, vote_extension 3 b, extension_signature 4 b, block_id_flag 5 e
ExtendedCommitInfo: round 1 i4, votes 2 *ExtendedVoteInfo
Misbehavior: type 1 e, validator 2 Validator, height 3 i, time 4 Timestamp, total_voting_power 5 i
EventAttribute: key 1 s, value 2 s, index 3 o
Event: type 1 s, attributes 2 *EventAttribute
ProofOp: type 1 s, key 2 b, data 3 b
ProofOps: ops 1 *ProofOp
Snapshot: height 1 u, format 2 u4, chunks 3 u4, hash 4 b, metadata 5 b
ExecTxResult: code 1 u4, data 2 b, log 3 s, info 4 s, gas_wanted 5 i, gas_used 6 i, events 7 *Event, codespace 8 s
RequestEcho: message 1 s
RequestFlush:
RequestInfo: version 1 s, block_version 2 u, p2p_version 3 u, abci_version 4 s
RequestInitChain: time 1 Timestamp, chain_id 2 s, consensus_params 3 ConsensusParams, validators 4 *ValidatorUpdate, \
app_state_bytes 5 b, initial_height 6 i
RequestQuery: data 1 b, path 2 s, height 3 i, prove 4 o
RequestCheckTx: tx 1 b, type 2 e
RequestCommit:
RequestListSnapshots:
RequestOfferSnapshot: snapshot 1 Snapshot, app_hash 2 b
RequestLoadSnapshotChunk: height 1 u, format 2 u4, chunk 3 u4
RequestApplySnapshotChunk: index 1 u4, chunk 2 b, sender 3 s
RequestPrepareProposal: max_tx_bytes 1 i, txs 2 *b, local_last_commit 3 ExtendedCommitInfo, misbehavior 4 *Misbehavior, \
height 5 i, time 6 Timestamp, next_validators_hash 7 b, proposer_address 8 b
RequestProcessProposal: txs 1 *b, proposed_last_commit 2 CommitInfo, misbehavior 3 *Misbehavior, hash 4 b, height 5 i, \
time 6 Timestamp, next_validators_hash 7 b, proposer_address 8 b
RequestExtendVote: hash 1 b, height 2 i, time 3 Timestamp, txs 4 *b, proposed_last_commit 5 CommitInfo, \
misbehavior 6 *Misbehavior, next_validators_hash 7 b, proposer_address 8 b
RequestVerifyVoteExtension: hash 1 b, validator_address 2 b, height 3 i, vote_extension 4 b
RequestFinalizeBlock: txs 1 *b, decided_last_commit 2 CommitInfo, misbehavior 3 *Misbehavior, hash 4 b, height 5 i, \
time 6 Timestamp, next_validators_hash 7 b, proposer_address 8 b
RequestInsertTx: tx 1 b
RequestReapTxs: max_bytes 1 u, max_gas 2 u
ResponseException: error 1 s
ResponseEcho: message 1 s
ResponseFlush:
ResponseInfo: data 1 s, version 2 s, app_version 3 u, last_block_height 4 i, last_block_app_hash 5 b
ResponseInitChain: consensus_params 1 ConsensusParams, validators 2 *ValidatorUpdate, app_hash 3 b
ResponseQuery: code 1 u4, log 3 s, info 4 s, index 5 i, key 6 b, value 7 b, proof_ops 8 ProofOps, height 9 i, \
codespace 10 s
ResponseCheckTx: code 1 u4, data 2 b, log 3 s, info 4 s, gas_wanted 5 i, gas_used 6 i, events 7 *Event, codespace 8 s
ResponseCommit: retain_height 3 i
ResponseListSnapshots: snapshots 1 *Snapshot
ResponseOfferSnapshot: result 1 e
ResponseLoadSnapshotChunk: chunk 1 b
ResponseApplySnapshotChunk: result 1 e, refetch_chunks 2 *u4, reject_senders 3 *s
ResponsePrepareProposal: txs 1 *b
ResponseProcessProposal: status 1 e
ResponseExtendVote: vote_extension 1 b
ResponseVerifyVoteExtension: status 1 e
ResponseFinalizeBlock: events 1 *Event, tx_results 2 *ExecTxResult, validator_updates 3 *ValidatorUpdate, \
consensus_param_updates 4 ConsensusParams, app_hash 5 b
ResponseInsertTx: code 1 u4
ResponseReapTxs: txs 1 *b
Request: echo 1 RequestEcho, flush 2 RequestFlush, info 3 RequestInfo, init_chain 5 RequestInitChain, \
query 6 RequestQuery, check_tx 8 RequestCheckTx, commit 11 RequestCommit, list_snapshots 12 RequestListSnapshots, \
offer_snapshot 13 RequestOfferSnapshot, load_snapshot_chunk 14 RequestLoadSnapshotChunk, \
apply_snapshot_chunk 15 RequestApplySnapshotChunk, prepare_proposal 16 RequestPrepareProposal, \
process_proposal 17 RequestProcessProposal, extend_vote 18 RequestExtendVote, \
verify_vote_extension 19 RequestVerifyVoteExtension, finalize_block 20 RequestFinalizeBlock, \
insert_tx 21 RequestInsertTx, reap_txs 22 RequestReapTxs
Response: exception 1 ResponseException, echo 2 ResponseEcho, flush 3 ResponseFlush, info 4 ResponseInfo, \
init_chain 6 ResponseInitChain, query 7 ResponseQuery, check_tx 9 ResponseCheckTx, commit 12 ResponseCommit, \
list_snapshots 13 ResponseListSnapshots, offer_snapshot 14 ResponseOfferSnapshot, \
load_snapshot_chunk 15 ResponseLoadSnapshotChunk, apply_snapshot_chunk 16 ResponseApplySnapshotChunk, \
prepare_proposal 17 ResponsePrepareProposal, process_proposal 18 ResponseProcessProposal, \
extend_vote 19 ResponseExtendVote, verify_vote_extension 20 ResponseVerifyVoteExtension, \
finalize_block 21 ResponseFinalizeBlock, insert_tx 22 ResponseInsertTx, reap_txs 23 ResponseReapTxs
"""
_ONE_OF: Final = {"Request", "Response", "PublicKey"}  # exactly one of their fields is present


def _field(message: descriptor_pb2.DescriptorProto, text: str) -> None:
    name, number, kind = text.split()
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if kind.startswith("*") else field.LABEL_OPTIONAL
    kind = kind.removeprefix("*")
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = field.TYPE_MESSAGE
        field.type_name = f".salus.abci.{kind}"
    if message.name in _ONE_OF:
        field.oneof_index = 0


def _build() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="salus/abci.proto", package="salus.abci", syntax="proto3")
    for line in _TABLE.strip().splitlines():
        name, fields = line.split(":", 1)
        message = file.message_type.add(name=name)
        if name in _ONE_OF:
            message.oneof_decl.add(name="value")
        for text in filter(None, (part.strip() for part in fields.split(","))):
            _field(message, text)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"salus.abci.{message.name}"))
        for message in file.message_type
    }


MESSAGES: Final[dict[str, Any]] = _build()
"""Message classes by name."""

Request: Final = MESSAGES["Request"]
Response: Final = MESSAGES["Response"]
