/**
 * Proofs: whether the ledger holds what a receipt says, under a trust file. The rules T1 to T8 are those of
 * docs/explain/formats.md; the program `salus verify` keeps the same.
 */

import { base64url, big, concat, equal, hex, number, unhex, utf8 } from "./bytes.js";
import { decode, encode, Malformed } from "./cbor.js";
import { digest, isStrictKey, sha256, verifies } from "./digest.js";

export { Malformed };
/** Well formed, and not proven. `kind` is ProofMismatch, BadSignature, Untrusted or Unwitnessed. */
export class Unproven extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

const MAX_SIZE = 2 ** 53;
export const EMPTY_ROOT = sha256(new Uint8Array());
export const leafHash = (entry) => sha256(concat(Uint8Array.of(0), entry));
const node = (left, right) => sha256(concat(Uint8Array.of(1), left, right));
const odd = (value) => value % 2 === 1;
const half = (value) => Math.floor(value / 2);

function need(holds, message) {
  if (!holds) throw new Malformed(message);
}

/** Return the root that a leaf hash and its path lead to (RFC 9162 section 2.1.3.2). */
export function rootFromInclusion(leaf, index, size, path) {
  need(0 <= index && index < size && size <= MAX_SIZE, "position or tree size out of range");
  let [at, last, root] = [index, size - 1, leaf];
  for (const sibling of path) {
    need(last, "the path is longer than the tree is high");
    if (odd(at) || at === last) {
      root = node(sibling, root);
      while (!odd(at) && at) [at, last] = [half(at), half(last)];
    } else {
      root = node(root, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  need(!last, "the path is shorter than the tree is high");
  return root;
}

/** Check that a tree begins with a smaller one (RFC 9162 section 2.1.4.2). */
export function checkConsistency(old, size, path, oldRoot, root) {
  need(0 <= old && old <= size && size <= MAX_SIZE, "tree sizes out of range");
  if (old === 0 || old === size) {
    need(!path.length, "a path where none is needed");
    if (!equal(oldRoot, old ? root : EMPTY_ROOT)) throw new Unproven("ProofMismatch", "two roots for one size");
    return;
  }
  need(path.length, "the path is empty");
  const rest = Number.isInteger(Math.log2(old)) ? [oldRoot, ...path] : [...path];
  let [first, last] = [old - 1, size - 1];
  while (odd(first)) [first, last] = [half(first), half(last)];
  let [one, two] = [rest[0], rest[0]];
  for (const next of rest.slice(1)) {
    need(last, "the path is longer than the tree is high");
    if (odd(first) || first === last) {
      [one, two] = [node(next, one), node(next, two)];
      while (!odd(first) && first) [first, last] = [half(first), half(last)];
    } else {
      two = node(two, next);
    }
    [first, last] = [half(first), half(last)];
  }
  need(!last, "the path is shorter than the tree is high");
  if (!equal(one, oldRoot) || !equal(two, root))
    throw new Unproven("ProofMismatch", "the consistency path does not lead to both roots");
}

/** Return the 32-byte nodes of a path. */
export function nodesIn(path) {
  need(path instanceof Uint8Array && path.length % 32 === 0 && path.length <= 32 * 256, "a path of 32-byte nodes");
  return Array.from({ length: path.length / 32 }, (_, at) => path.slice(32 * at, 32 * at + 32));
}

/** Return the nodes of a consistency path that stands by itself. */
export function pathIn(data) {
  const value = decode(data);
  need(Array.isArray(value) && value.length === 4 && value[0] === "salus/v1/path", "not a consistency path");
  return nodesIn(value[3]);
}

const kidOf = (key) => digest("salus/v1/kid", key).slice(0, 8);

function cosignatures(bytes) {
  need(bytes instanceof Uint8Array && bytes.length % 72 === 0 && bytes.length <= 72 * 256, "cosignatures");
  const pairs = Array.from({ length: bytes.length / 72 }, (_, at) => bytes.slice(72 * at, 72 * at + 72));
  const names = pairs.map((pair) => hex(pair.slice(0, 8)));
  need(names.every((name, at) => !at || names[at - 1] < name), "cosignatures out of order or twice");
  return pairs.map((pair) => [pair.slice(0, 8), pair.slice(8)]);
}

/** Return the checkpoint in a decoded value. */
export function checkpointIn(value) {
  need(Array.isArray(value) && value.length === 6 && value[0] === "salus/v1/checkpoint", "not a checkpoint");
  const [, network, size, root, issued, signed] = value;
  need(network?.length === 32 && root?.length === 32 && 0 < size && size <= MAX_SIZE, "not a checkpoint");
  need(Number.isInteger(issued), "a time out of range");
  return { network, size, root, issued, cosignatures: cosignatures(signed) };
}

/** Return the change of cosigners that bytes stand for. */
export function changeIn(data) {
  const value = decode(data);
  need(Array.isArray(value) && value.length === 7 && value[0] === "salus/v1/cosigners", "not a change of cosigners");
  const [, network, counted, size, root, cosigners, signed] = value;
  need(network?.length === 32 && root?.length === 32 && 0 < size && size <= MAX_SIZE, "not a change of cosigners");
  checkKeys(cosigners);
  return { network, number: counted, size, root, cosigners, cosignatures: cosignatures(signed), content: encode(value.slice(0, 6)) };
}

function checkKeys(listed) {
  need(Array.isArray(listed) && listed.length > 0 && listed.length <= 128, "1 to 128 keys");
  for (const [at, one] of listed.entries()) {
    need(Array.isArray(one) && one.length === 2 && typeof one[0] === "string" && one[1]?.length === 32, "a name and a key");
    need(!at || listed[at - 1][0] < one[0], "keys out of order or twice");
  }
}

function toSign(statement, kid) {
  const around = (before, after) => concat(before, Uint8Array.of(0x04, 0x48), kid, after);
  let header, payload;
  if (statement.content) {
    header = around(concat(Uint8Array.of(0xa3, 1, 0x27, 3), encode("salus/v1/cosigners")), new Uint8Array());
    payload = statement.content;
  } else {
    const issuer = encode(`ni:///sha-256;${base64url(statement.network)}`);
    const claims = concat(unhex("0fa301"), issuer, unhex("02636c6f6706"), encode(statement.issued));
    header = around(unhex("a50127"), concat(claims, unhex("19018b01"), encode("salus.size"), encode(statement.size)));
    payload = statement.root;
  }
  return concat(unhex("846a"), utf8("Signature1"), encode(header), Uint8Array.of(0x40), encode(payload));
}

async function signedBy(statement, keys) {
  const known = new Map(keys.map(([, key]) => [hex(kidOf(key)), key]));
  let count = 0;
  for (const [kid, signature] of statement.cosignatures) {
    const key = known.get(hex(kid));
    if (!key) continue;
    if (!(await verifies(key, toSign(statement, kid), signature)))
      throw new Unproven("BadSignature", "a cosignature does not hold"); // T8
    count += 1;
  }
  return count;
}

/** Return the entry of the log that a leaf's bytes stand for. */
export function leafIn(entry) {
  if (entry[0] === 1 && entry.length >= 73 && number(entry.slice(69, 73)) === entry.length - 73)
    return { txId: entry.slice(1, 33), code: number(entry.slice(65, 69)), data: entry.slice(73) };
  need(entry[0] === 2 && entry.length === 81, "neither a transaction's leaf nor a block's");
  return { height: number(entry.slice(1, 9)), time: number(entry.slice(9, 17)), stateRoot: entry.slice(17, 49) };
}

function receiptFrom(value) {
  need(Array.isArray(value) && value.length === 6 && value[0] === "salus/v1/receipt", "not a receipt");
  const [, entry, index, path, extension, checkpoint] = value;
  need(entry instanceof Uint8Array && Number.isInteger(index), "not a receipt");
  const told = checkpointIn(checkpoint);
  need(extension === null || (Array.isArray(extension) && extension.length === 2), "not an extension");
  const further = extension && { size: extension[0], path: nodesIn(extension[1]) };
  return { entry, index, path: nodesIn(path), extension: further, checkpoint: told, leaf: leafIn(entry) };
}

/** Return the receipt that bytes stand for. Throws Malformed. */
export const receiptIn = (data) => receiptFrom(decode(data));

function checkPath(receipt) {
  const { entry, index, path, extension, checkpoint } = receipt;
  const root = rootFromInclusion(leafHash(entry), index, extension?.size ?? checkpoint.size, path);
  if (extension) return checkConsistency(extension.size, checkpoint.size, extension.path, root, checkpoint.root);
  if (!equal(root, checkpoint.root))
    throw new Unproven("ProofMismatch", "the leaf does not lead to the checkpoint's root");
}

/** Check a proof of a row of the state, or with null that there is none; return the receipt of its block. Signatures are `accept`'s to check. */
export function checkRow(data, rowKey, value) {
  const told = decode(data);
  need(Array.isArray(told) && told.length === 5 && told[0] === "salus/v1/state-proof", "not a state proof");
  const [, key, siblings, end, receipt] = told;
  const found = receiptFrom(receipt);
  const passed = nodesIn(siblings);
  const leaf = Array.isArray(end) && end.length === 2 && end.every((one) => one.length === 32);
  need(found.leaf.stateRoot && (leaf || end === null) && passed.length <= 256, "a state proof ends at a block's leaf");
  const path = digest("salus/v1/state-key", key);
  const same = (one, bits) => bits <= 0 || ((one >> (8 - Math.min(bits, 8))) === 0);
  if (leaf) need(path.every((one, at) => same(one ^ end[0][at], passed.length - at * 8)), "the leaf stands elsewhere");
  let root = leaf ? sha256(concat(Uint8Array.of(2), end[0], end[1])) : new Uint8Array(32);
  for (let at = passed.length - 1; at >= 0; at--) {
    const right = (path[at >> 3] >> (7 - (at & 7))) & 1;
    root = sha256(concat(Uint8Array.of(3), ...(right ? [passed[at], root] : [root, passed[at]])));
  }
  const there = leaf && equal(end[0], path);
  const holds = value ? there && equal(end[1], digest("salus/v1/state-value", value)) : !there;
  if (!equal(key, rowKey) || !holds || !equal(root, found.leaf.stateRoot))
    throw new Unproven("ProofMismatch", "the state holds another value at this key");
  return found;
}

/** Whom a verifier believes: a trust file, and how trust moves forward. Immutable. */
export class Trust {
  constructor(told) {
    Object.assign(this, told);
    need(this.network.length === 32 && this.root.length === 32 && 0 <= this.size, "not a trust file");
    checkKeys(this.cosigners);
    if (this.witnesses.length) checkKeys(this.witnesses);
    const keys = [...this.cosigners, ...this.witnesses].map(([, key]) => key);
    need(new Set(keys.map(hex)).size === keys.length && keys.every(isStrictKey), "a key twice, or not allowed");
    need(0 <= this.needed && this.needed <= this.witnesses.length, "more witnesses needed than listed");
  }

  /** Return the trust in a file's text. Throws Malformed. */
  static read(told) {
    try {
      const file = JSON.parse(told);
      need(file.format === "salus-trust/1", "not a trust file of format salus-trust/1");
      return new Trust({
        network: unhex(file.network),
        size: file.size,
        root: unhex(file.root),
        number: file.cosigner_set,
        cosigners: file.cosigners.map((one) => [one.member, unhex(one.key)]),
        witnesses: file.witnesses.map((one) => [one.name, unhex(one.key)]),
        needed: file.witnesses_needed,
      });
    } catch (error) {
      throw error instanceof Malformed ? error : new Malformed("not a trust file of format salus-trust/1");
    }
  }

  /** Return the trust file's text. */
  write() {
    return JSON.stringify({
      format: "salus-trust/1",
      network: hex(this.network),
      size: this.size,
      root: hex(this.root),
      cosigner_set: this.number,
      cosigners: this.cosigners.map(([member, key]) => ({ member, key: hex(key) })),
      witnesses: this.witnesses.map(([name, key]) => ({ name, key: hex(key) })),
      witnesses_needed: this.needed,
    });
  }

  /** Whether somebody besides one organisation vouches for the ledger. */
  get witnessed() {
    return this.cosigners.length > 1 || this.witnesses.length > 0;
  }

  /** Check that a checkpoint at or above the pinned size is to be believed. */
  async acceptCheckpoint(checkpoint) {
    if (!equal(checkpoint.network, this.network)) throw new Unproven("Untrusted", "of another network"); // T1
    if (checkpoint.size < this.size) throw new Unproven("Untrusted", "older than the pinned size"); // T5
    if (checkpoint.size === this.size) {
      if (!equal(checkpoint.root, this.root)) throw new Unproven("ProofMismatch", "two roots for one size"); // T2
      if (!this.witnessed) throw new Unproven("Unwitnessed", "one organisation keeps this ledger"); // T4
      return;
    }
    const needed = Math.floor((2 * this.cosigners.length) / 3) + 1;
    const signed = await signedBy(checkpoint, this.cosigners); // T3, T8
    if (signed < needed) throw new Unproven("Untrusted", `signed by ${signed} cosigners; ${needed} are needed`);
    const outside = Math.max(this.needed, this.cosigners.length === 1 ? 1 : 0); // T4
    if ((await signedBy(checkpoint, this.witnesses)) < outside)
      throw new Unproven("Unwitnessed", `${outside} witnesses are needed`);
  }

  /** Check that the log holds a receipt's leaf; `toPin` carries an older receipt to the pinned size. */
  async accept(receipt, toPin = null) {
    checkPath(receipt);
    let checkpoint = receipt.checkpoint;
    if (checkpoint.size < this.size && toPin) {
      checkConsistency(checkpoint.size, this.size, toPin, checkpoint.root, this.root); // T5
      checkpoint = { ...checkpoint, size: this.size, root: this.root };
    }
    await this.acceptCheckpoint(checkpoint);
  }

  /** Return the trust pinned to a newer checkpoint. */
  async advanced(checkpoint, path, lenient = false) {
    try {
      await this.acceptCheckpoint(checkpoint);
    } catch (error) {
      // A ledger of one without a witness proves nothing against its owner: it is taken, and the page says so.
      if (!(lenient && error.kind === "Unwitnessed" && !this.witnessed)) throw error;
    }
    checkConsistency(this.size, checkpoint.size, path, this.root, checkpoint.root); // T6
    return new Trust({ ...this, size: checkpoint.size, root: checkpoint.root });
  }

  /** Return the trust in the next cosigner set. */
  async followed(change, path) {
    if (!equal(change.network, this.network)) throw new Unproven("Untrusted", "of another network"); // T1
    if (change.number !== this.number + 1 || change.size > this.size)
      throw new Unproven("Untrusted", "not the change that follows"); // T6, T7
    const needed = Math.floor((2 * this.cosigners.length) / 3) + 1;
    if ((await signedBy(change, this.cosigners)) < needed)
      throw new Unproven("Untrusted", "the change is not signed by enough of those before it"); // T7
    checkConsistency(change.size, this.size, path, change.root, this.root); // T2
    return new Trust({ ...this, number: change.number, cosigners: change.cosigners });
  }
}
