/** Hashes, MACs and signatures as docs/explain/formats.md lays them down. */

import { hmac } from "./vendor/common/src/hash/hmac.js";
import { sha256 as hash } from "./vendor/common/src/hash/sha2.js";
import { big, concat, number, unhex, utf8 } from "./bytes.js";

/** Return the SHA-256 of bytes. */
export const sha256 = (bytes) => hash(bytes);

/** Return a label and fields as one unambiguous byte string. */
export function framed(label, ...fields) {
  const name = utf8(label);
  return concat(big(name.length, 1), name, ...fields.flatMap((field) => [big(field.length, 4), field]));
}

/** Return the digest of a label and fields. */
export const digest = (label, ...fields) => hash(framed(label, ...fields));

/** Return the HMAC-SHA-256 under a key of a label and fields. */
export const mac = (key, label, ...fields) => hmac(hash, key, framed(label, ...fields));

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const PKCS8 = unhex("302e020100300506032b657004220420");
const little = (bytes) => BigInt(number(Uint8Array.from(bytes).reverse()));
const SMALL = [
  0n, 1n, P - 1n,
  little(unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")),
  little(unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")),
];

/** Tell whether 32 bytes may stand as an Ed25519 key: canonical, and not of small order. */
export function isStrictKey(key) {
  const y = key.length === 32 ? little(key) & (2n ** 255n - 1n) : P;
  return y < P && !SMALL.includes(y);
}

/** Tell whether a signature holds under the strict rule (S < L, then the browser's own Ed25519). */
export async function verifies(key, message, signature) {
  if (signature.length !== 64 || !isStrictKey(key) || little(signature.slice(32)) >= L) return false;
  let known;
  try {
    known = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError") throw error;
    return false; // no point of the curve
  }
  return crypto.subtle.verify("Ed25519", known, signature, message);
}

/** Return the signing key of a seed (32 bytes): `public` and `sign`. */
export async function signingKey(seed) {
  const own = await crypto.subtle.importKey("pkcs8", concat(PKCS8, seed), "Ed25519", true, ["sign"]);
  const told = await crypto.subtle.exportKey("jwk", own);
  const point = Uint8Array.from(atob(told.x.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  return {
    public: point,
    sign: async (message) => new Uint8Array(await crypto.subtle.sign("Ed25519", own, message)),
  };
}

/** Tell whether this browser can sign and verify with Ed25519. */
export async function knowsEd25519() {
  try {
    const key = await signingKey(new Uint8Array(32));
    return await verifies(key.public, new Uint8Array(1), await key.sign(new Uint8Array(1)));
  } catch {
    return false;
  }
}

/** Return the AES-256-GCM of a plaintext under a key that is used once, with a nonce of zeros. */
export async function seal(key, plaintext, bound) {
  const own = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const told = { name: "AES-GCM", iv: new Uint8Array(12), additionalData: bound };
  return new Uint8Array(await crypto.subtle.encrypt(told, own, plaintext));
}

/** Return the plaintext; throws when a byte, the key or what it is bound to is another. */
export async function unseal(key, sealed, bound) {
  const own = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
  const told = { name: "AES-GCM", iv: new Uint8Array(12), additionalData: bound };
  return new Uint8Array(await crypto.subtle.decrypt(told, own, sealed));
}

