/** Bytes: the one way the scripts join, compare, write and read them. */

/** Bytes or a text that are not of the form they should have. */
export class Unreadable extends Error {}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true });

/** Return all parts as one. */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Tell whether two byte strings are the same. */
export function equal(one, two) {
  return one.length === two.length && one.every((byte, at) => byte === two[at]);
}

/** Return a text as UTF-8. */
export const utf8 = (text) => ENCODER.encode(text);
/** Return UTF-8 as a text. Throws Unreadable. */
export function text(bytes) {
  try {
    return DECODER.decode(bytes);
  } catch {
    throw new Unreadable("text that is not UTF-8");
  }
}

/** Return a whole number, big-endian, in `size` bytes. */
export function big(number, size) {
  const bytes = new Uint8Array(size);
  let rest = BigInt(number);
  for (let at = size - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

/** Return the whole number in big-endian bytes: a Number while it is exact, else a BigInt. */
export function number(bytes) {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** Return bytes in lower-case hexadecimal. */
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Return the bytes of lower-case hexadecimal; throws Unreadable on anything else. */
export function unhex(told) {
  if (!/^([0-9a-f]{2})*$/.test(told)) throw new Unreadable("not lower-case hexadecimal");
  return Uint8Array.from(told.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Return bytes in base64url without padding. */
export function base64url(bytes) {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 4096) binary += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** Return the bytes of base64url. Throws Unreadable. */
export function unbase64url(told) {
  if (!/^[\w-]*$/.test(told) || told.length % 4 === 1) throw new Unreadable("not base64url");
  return Uint8Array.from(atob(told.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
}

/** Return fresh random bytes. */
export const random = (size) => crypto.getRandomValues(new Uint8Array(size));
