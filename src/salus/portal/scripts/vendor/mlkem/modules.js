export { MlKem768 } from "./src/mlKem768.js";
export { sha3_256, shake256 } from "./src/sha3/sha3.js";
