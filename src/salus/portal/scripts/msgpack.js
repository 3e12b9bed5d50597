/** msgpack as the node's encoder writes it: the shortest form, arrays in order. Maps and floats are not ours. */

import { big, concat, equal, number, text, Unreadable, utf8 } from "./bytes.js";

function sized(count, forms) {
  for (const [limit, code, size] of forms)
    if (count < limit) return size ? concat(Uint8Array.of(code), big(count, size)) : Uint8Array.of(code | count);
  throw new RangeError("too large");
}

function whole(value) {
  if (value >= 0) return sized(value, [[128, 0, 0], [2 ** 8, 0xcc, 1], [2 ** 16, 0xcd, 2], [2 ** 32, 0xce, 4], [2 ** 64, 0xcf, 8]]);
  if (value >= -32) return Uint8Array.of(256 + Number(value));
  throw new RangeError("a negative number");
}

/** Return the one encoding of null, truth values, whole numbers, texts, bytes and arrays. */
export function encode(value) {
  if (value === null) return Uint8Array.of(0xc0);
  if (typeof value === "boolean") return Uint8Array.of(value ? 0xc3 : 0xc2);
  if (typeof value === "number" || typeof value === "bigint") return whole(value);
  if (typeof value === "string") {
    const told = utf8(value);
    return concat(sized(told.length, [[32, 0xa0, 0], [2 ** 8, 0xd9, 1], [2 ** 16, 0xda, 2], [2 ** 32, 0xdb, 4]]), told);
  }
  if (value instanceof Uint8Array)
    return concat(sized(value.length, [[2 ** 8, 0xc4, 1], [2 ** 16, 0xc5, 2], [2 ** 32, 0xc6, 4]]), value);
  return concat(sized(value.length, [[16, 0x90, 0], [2 ** 16, 0xdc, 2], [2 ** 32, 0xdd, 4]]), ...value.map(encode));
}

const SIZES = {
  0xc4: ["bytes", 1], 0xc5: ["bytes", 2], 0xc6: ["bytes", 4], 0xcc: ["number", 1], 0xcd: ["number", 2],
  0xce: ["number", 4], 0xcf: ["number", 8], 0xd9: ["text", 1], 0xda: ["text", 2], 0xdb: ["text", 4],
  0xdc: ["array", 2], 0xdd: ["array", 4],
};

function headAt(data, at) {
  const code = data[at];
  if (code < 0x80) return ["value", code, at + 1];
  if (code >= 0xe0) return ["value", code - 256, at + 1];
  if (code >= 0x90 && code < 0xa0) return ["array", code & 15, at + 1];
  if (code >= 0xa0 && code < 0xc0) return ["text", code & 31, at + 1];
  if (code === 0xc0) return ["value", null, at + 1];
  if (code === 0xc2 || code === 0xc3) return ["value", code === 0xc3, at + 1];
  const [kind, size] = SIZES[code] ?? [];
  if (!kind || at + 1 + size > data.length) throw new Unreadable("no msgpack of ours");
  const count = number(data.subarray(at + 1, at + 1 + size));
  return kind === "number" ? ["value", count, at + 1 + size] : [kind, count, at + 1 + size];
}

function read(data, at, depth) {
  if (at >= data.length || depth > 16) throw new Unreadable("cut short, or nested too deep");
  const [kind, told, next] = headAt(data, at);
  if (kind === "value") return [told, next];
  if (kind === "array") {
    const items = [];
    let place = next;
    for (let left = told; left > 0; left--) {
      const [item, after] = read(data, place, depth + 1);
      items.push(item);
      place = after;
    }
    return [items, place];
  }
  if (next + told > data.length) throw new Unreadable("cut short");
  const part = data.subarray(next, next + told);
  return [kind === "text" ? text(part) : part.slice(), next + told];
}

/** Return the value of bytes that encode to themselves. Throws Unreadable. */
export function decode(data) {
  const [value, end] = read(data, 0, 0);
  if (end !== data.length || !equal(encode(value), data)) throw new Unreadable("not the one encoding of a value");
  return value;
}

/** Return the two ways between an array in fixed order and an object with these names. */
export function shape(...names) {
  return {
    of(array) {
      if (!Array.isArray(array) || array.length !== names.length) throw new Unreadable(`not of the shape ${names[0]}...`);
      return Object.fromEntries(names.map((name, at) => [name, array[at]]));
    },
    to: (told) => names.map((name) => told[name]),
  };
}
