export { Aes256Gcm } from "./src/aeads/aesGcm.js";
export { CipherSuiteNative } from "./src/cipherSuiteNative.js";
