export { hmac } from "./src/hash/hmac.js";
export { sha256 } from "./src/hash/sha2.js";
