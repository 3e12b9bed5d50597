/** The part of CBOR that proofs are written in, deterministic (RFC 8949 section 4.2.1); nothing else is read. */

import { big, concat, equal, number, text, Unreadable, utf8 } from "./bytes.js";

/** Bytes that are not of the format. */
export class Malformed extends Error {}

function head(major, argument) {
  if (argument < 24) return Uint8Array.of((major << 5) | argument);
  for (const [code, size] of [[24, 1], [25, 2], [26, 4], [27, 8]])
    if (BigInt(argument) < 1n << BigInt(8 * size)) return concat(Uint8Array.of((major << 5) | code), big(argument, size));
  throw new Malformed("an integer over 64 bits");
}

/** Return the one encoding of numbers, bytes, texts, arrays and null. */
export function encode(value) {
  if (value === null) return Uint8Array.of(0xf6);
  if (typeof value === "number" || typeof value === "bigint") return head(0, value);
  if (typeof value === "string") return concat(head(3, utf8(value).length), utf8(value));
  if (value instanceof Uint8Array) return concat(head(2, value.length), value);
  return concat(head(4, value.length), ...value.map(encode));
}

function read(data, at, depth) {
  if (depth > 8 || at >= data.length) throw new Malformed("the CBOR is cut short, or nested too deep");
  const major = data[at] >> 5;
  let argument = data[at] & 31;
  if (data[at] === 0xf6) return [null, at + 1];
  at += 1;
  if (argument > 27) throw new Malformed("a reserved or indefinite length");
  if (argument > 23) {
    const size = 1 << (argument - 24);
    argument = number(data.subarray(at, at + size));
    at += size;
  }
  if (major === 0) return [argument, at];
  if (major === 4) {
    const items = [];
    for (let left = argument; left > 0; left--) {
      const [item, next] = read(data, at, depth + 1);
      items.push(item);
      at = next;
    }
    return [items, at];
  }
  const end = at + Number(argument);
  if ((major !== 2 && major !== 3) || end > data.length) throw new Malformed("no bytes, text, array or number");
  return [major === 2 ? data.slice(at, end) : text(data.subarray(at, end)), end];
}

/** Return the value that all of the bytes stand for; it encodes to the same bytes. Throws Malformed. */
export function decode(data) {
  let value, end;
  try {
    [value, end] = read(data, 0, 0);
  } catch (error) {
    throw error instanceof Unreadable ? new Malformed(error.message) : error;
  }
  if (end !== data.length || !equal(encode(value), data)) throw new Malformed("not the one encoding of a value");
  return value;
}
