/** Envelopes: HPKE in base mode under X-Wing, signed by the sender (docs/explain/keys-and-sealing.md). */

import { concat, equal, random, Unreadable, utf8 } from "./bytes.js";
import { digest, framed, verifies } from "./digest.js";
import { decode, encode } from "./msgpack.js";

const ENCAPSULATED = 1120;
let hpke; // loaded when a secret travels for the first time: it is most of what the wallet weighs

async function suite() {
  hpke ??= Promise.all([
    import("./vendor/core/modules.js"),
    import("./vendor/common/modules.js"),
    import("./vendor/x-wing/modules.js"),
  ]).then(([{ Aes256Gcm, CipherSuiteNative }, { HkdfSha256Native }, { XWing }]) => {
    return new CipherSuiteNative({ kem: new XWing(), kdf: new HkdfSha256Native(), aead: new Aes256Gcm() });
  });
  return hpke;
}

const infoOf = ([network, sender, purpose, object], recipient) =>
  digest("salus/v1/envelope", Uint8Array.of(1, 1), network, sender, recipient, utf8(purpose), object);

/** Return a fresh receive key: its seed opens what is sealed to `public`. */
export async function receiveKey(seed = random(32)) {
  const kem = (await suite()).kem;
  const pair = await kem.generateKeyPairDerand(seed);
  return { own: pair.privateKey, public: new Uint8Array(await kem.serializePublicKey(pair.publicKey)) };
}

/** Seal to a public key and sign. The context is [network, sender, purpose, object id]. */
export async function sealEnvelope(plaintext, context, recipient, sign) {
  const kem = (await suite()).kem;
  const info = infoOf(context, recipient);
  const recipientPublicKey = await kem.importKey("raw", recipient, true);
  const made = await (await suite()).seal({ recipientPublicKey, info }, plaintext);
  const sealed = concat(new Uint8Array(made.enc), new Uint8Array(made.ct));
  return encode([1, 1, context, sealed, await sign(framed("salus/v1/envelope-signature", info, sealed))]);
}

/** Return the plaintext of an envelope that is bound to exactly this context. Throws Unreadable. */
export async function openEnvelope(envelope, context, key, senderKey) {
  const [format, algorithm, told, sealed, signature] = decode(envelope);
  const info = infoOf(context, key.public);
  const signed = framed("salus/v1/envelope-signature", info, sealed);
  if (format !== 1 || algorithm !== 1 || !equal(encode(told), encode(context)) || !(await verifies(senderKey, signed, signature)))
    throw new Unreadable("the envelope is not what it should be");
  const [enc, ct] = [sealed.slice(0, ENCAPSULATED), sealed.slice(ENCAPSULATED)];
  const opening = await suite();
  try {
    return new Uint8Array(await opening.open({ recipientKey: key.own, enc, info }, ct));
  } catch {
    throw new Unreadable("the envelope does not open");
  }
}
