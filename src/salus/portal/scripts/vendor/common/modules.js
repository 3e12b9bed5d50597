export * from "./src/errors.js";
export { NativeAlgorithm } from "./src/algorithm.js";
export { AeadId, KdfId, KemId, Mode } from "./src/identifiers.js";
export { Dhkem } from "./src/kems/dhkem.js";
export { XCurveDhkemPrimitives } from "./src/kems/dhkemPrimitives/xCurve.js";
export { XCryptoKey } from "./src/xCryptoKey.js";
export { HkdfSha256Native, toArrayBuffer, toUint8Array } from "./src/kdfs/hkdf.js";
export { AEAD_USAGES } from "./src/interfaces/aeadEncryptionContext.js";
export { KEM_USAGES, LABEL_DKP_PRK, LABEL_SK } from "./src/interfaces/dhkemPrimitives.js";
export { SUITE_ID_HEADER_KEM } from "./src/interfaces/kemInterface.js";
export { EMPTY, INFO_LENGTH_LIMIT, INPUT_LENGTH_LIMIT, MINIMUM_PSK_LENGTH } from "./src/consts.js";
export {
  base64UrlToBytes, concat, hexToBytes, i2Osp, isCryptoKeyPair, isDeno, isDenoV1, kemToKeyGenAlgorithm, loadCrypto,
  loadSubtleCrypto, xor,
} from "./src/utils/misc.js";
export { abytes, aexists, anumber, aoutput, clean, copyBytes, createView, hexToNumber, isLE, numberToBigint, u32 } from "./src/utils/noble.js";
export { hmac } from "./src/hash/hmac.js";
export { sha256 } from "./src/hash/sha2.js";
export { mod, pow2 } from "./src/curve/modular.js";
export { montgomery } from "./src/curve/montgomery.js";
