/** Sealed records: opened, verified, followed along their chain (docs/explain/keys-and-sealing.md). */

import { big, equal, number, text } from "./bytes.js";
import { digest, mac, unseal } from "./digest.js";
import { decode, shape } from "./msgpack.js";
import { leafHash, nodesIn, rootFromInclusion } from "./proof.js";

/** A record, or what stands for it, that does not verify. */
export class Broken extends Error {}

const FLOOR = 2048;
const META = shape("kind", "type", "id", "version", "recorded", "media", "source");
const SERVED = shape("sealed", "dataKey", "salt", "root", "size", "index", "path");
const LINK = shape("sequence", "previous", "chainSalt", "chain", "leaf");

/** Return the PADMÉ length: at most 12 % more, at least 2048. */
export function paddedLength(length, floor = FLOOR) {
  if (length <= FLOOR) return Math.max(floor, FLOOR);
  const exponent = Math.floor(Math.log2(length));
  const low = 2 ** (exponent - (Math.floor(Math.log2(exponent)) + 1));
  return Math.max(floor, Math.ceil(length / low) * low);
}

function takenApart(sealed) {
  const end = 19 + sealed[18];
  if (sealed[0] !== 1 || sealed[1] !== 1 || sealed.length < end + 64 + FLOOR + 16) throw new Broken("not a sealed record");
  return {
    header: sealed.slice(0, end),
    link: sealed.slice(2, 18),
    writer: text(sealed.slice(19, end)),
    commitment: sealed.slice(end, end + 32),
    chain: sealed.slice(end + 32, end + 64),
    ciphertext: sealed.slice(end + 64),
  };
}

/** Verify a served record with what opens it, and return it. Throws Broken naming what does not hold. */
export async function receive(array, [dataKey, salt]) {
  const served = SERVED.of(array);
  const sealed = takenApart(served.sealed);
  const hashed = digest("salus/v1/ciphertext", sealed.ciphertext);
  const leaf = mac(salt, "salus/v1/record-leaf", sealed.header, hashed, sealed.commitment, sealed.chain);
  if (!equal(rootOf(leaf, served), served.root)) throw new Broken("the record does not lie under the root that it names");
  if (!equal(mac(dataKey, "salus/v1/key-commitment", sealed.header), sealed.commitment))
    throw new Broken("the data key is not the one that the record commits to");
  let plaintext;
  try {
    plaintext = await unseal(dataKey, sealed.ciphertext, sealed.header);
  } catch {
    throw new Broken("the ciphertext was altered");
  }
  const start = 8 + number(plaintext.slice(0, 4));
  const end = start + number(plaintext.slice(start - 4, start));
  if (end > plaintext.length || plaintext.length !== paddedLength(end) || plaintext.subarray(end).some((byte) => byte))
    throw new Broken("the plaintext is not padded as the format says");
  const meta = META.of(decode(plaintext.slice(4, start - 4)));
  return { ...meta, writer: sealed.writer, link: sealed.link, leaf, root: served.root, body: plaintext.slice(start, end) };
}

/** Return the root of a batch that a leaf and its place lead to. */
export function rootOf(leaf, { index, size, path }) {
  return rootFromInclusion(leafHash(leaf), index, size, path instanceof Uint8Array ? nodesIn(path) : path);
}

/** Follow a link's chain from [sequence, leaf]; return the new head. Throws Broken naming the record. */
export function followed(link, [sequence, head], shown) {
  let leaf = sequence ? head : digest("salus/v1/chain-start", link);
  for (const array of shown) {
    const one = LINK.of(array);
    sequence += 1;
    if (one.sequence !== sequence || !equal(one.previous, leaf)) throw new Broken(`record ${sequence} does not follow`);
    if (!equal(mac(one.chainSalt, "salus/v1/chain", big(sequence, 8), leaf), one.chain))
      throw new Broken(`record ${sequence} carries another chain value`);
    leaf = one.leaf;
  }
  return [sequence, leaf];
}

export { LINK };
