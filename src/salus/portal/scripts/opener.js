/** What brings the wallet back: its root, wrapped for a passkey or a sheet (docs/explain/keys-and-sealing.md). */

import { big, concat, random, Unreadable, utf8 } from "./bytes.js";
import { digest, framed, mac, seal, sha256, signingKey, unseal } from "./digest.js";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LETTERS = 36;
const PRF_INPUT = sha256(utf8("salus/v1/passkey-prf"));

/** This browser or device gives no key with its passkeys. */
export class NoPrf extends Error {}

/** Return what signs a write of a wallet's file. */
export function putMessage(locator, version, file) {
  return framed("salus/v1/wallet-put", locator, big(version, 8), digest("salus/v1/wallet-bytes", file));
}

/** Opens a wallet's root at any member that keeps the file. */
export class Opener {
  constructor(secret) {
    this.secret = secret;
  }

  static ofPasskey = (yielded) => new Opener(digest("salus/v1/passkey-opener", yielded));
  static ofSheet = (told) => new Opener(digest("salus/v1/sheet-opener", readSheet(told)));

  locator = (member) => mac(this.secret, "salus/v1/opener-locator", utf8(member));
  writeKey = (member) => signingKey(mac(this.secret, "salus/v1/opener-write", utf8(member)));
  key = (member, head) => mac(this.secret, "salus/v1/opener-key", utf8(member), head.slice(2, 34), head.slice(34, 66));

  /** Return the file for a member. */
  async sealRoot(member, root) {
    const head = concat(Uint8Array.of(1, 1), random(32), mac(root, "salus/v1/opener-root", utf8(member)));
    return concat(head, await seal(this.key(member, head), root, this.locator(member)));
  }

  /** Return the root in a member's file. Throws. */
  async openRoot(member, file) {
    if (file[0] !== 1 || file[1] !== 1) throw new Unreadable("this is no wrapped root of format 1");
    return unseal(this.key(member, file), file.slice(66), this.locator(member));
  }
}

const checkOf = (code) => {
  const told = digest("salus/v1/sheet-check", code);
  return (told[0] << 12) | (told[1] << 4) | (told[2] >> 4);
};

/** Return the text of a sheet for 20 bytes: nine groups of four. */
export function writeSheet(code) {
  let rest = (BigInt(`0x${Array.from(code, (one) => one.toString(16).padStart(2, "0")).join("")}`) << 20n) | BigInt(checkOf(code));
  let letters = "";
  for (let at = 0; at < LETTERS; at++) {
    letters = ALPHABET[Number(rest & 31n)] + letters;
    rest >>= 5n;
  }
  return letters.match(/..../g).join("-");
}

/** Return the code in a sheet's text. Throws Unreadable. */
export function readSheet(told) {
  const letters = told.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
  if (letters.length !== LETTERS || [...letters].some((one) => !ALPHABET.includes(one))) throw new Unreadable("no sheet");
  let value = 0n;
  for (const letter of letters) value = (value << 5n) | BigInt(ALPHABET.indexOf(letter));
  const code = big(value >> 20n, 20);
  if (Number(value & 0xfffffn) !== checkOf(code)) throw new Unreadable("a letter of the sheet is wrong");
  return code;
}

/** Return a fresh sheet. */
export const newSheet = () => writeSheet(random(20));

const yielded = (credential) => credential.getClientExtensionResults().prf;

/** Make a passkey and return its opener. Throws NoPrf, or what the browser throws when its person says no. */
export async function makePasskey(name) {
  const made = await navigator.credentials.create({
    publicKey: {
      challenge: random(32),
      rp: { name: "Salus" },
      user: { id: random(16), name, displayName: name },
      pubKeyCredParams: [-8, -7, -257].map((alg) => ({ type: "public-key", alg })),
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      extensions: { prf: { eval: { first: PRF_INPUT } } },
    },
  });
  const told = yielded(made);
  if (!told?.enabled) throw new NoPrf();
  if (told.results?.first) return Opener.ofPasskey(new Uint8Array(told.results.first));
  return usePasskey(new Uint8Array(made.rawId));
}

/** Ask for a passkey and return its opener. Throws NoPrf, or what the browser throws. */
export async function usePasskey(id = null) {
  const used = await navigator.credentials.get({
    publicKey: {
      challenge: random(32),
      userVerification: "required",
      allowCredentials: id ? [{ type: "public-key", id }] : [],
      extensions: { prf: { eval: { first: PRF_INPUT } } },
    },
  });
  const first = yielded(used)?.results?.first;
  if (!first) throw new NoPrf();
  return Opener.ofPasskey(new Uint8Array(first));
}
