# ruff: noqa: INP001 -- a script, not a package
"""Copy the modules of HPKE and of QR codes that the browser's wallet needs: `python tools/vendor_scripts.py FOLDER/node_modules`.

Before it: `npm install --ignore-scripts @hpke/core@1.9.0 @hpke/hybridkem-x-wing@0.7.0 qr@0.7.0` in FOLDER. Of each file only the
names of other packages are rewritten to relative addresses, since a strict content security policy allows no import map
in the page; `modules.js` of each package says which files are taken. `vendored.toml` holds version, licence and digests.
"""

import json
import re
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

TARGET: Final = Path(__file__).parents[1] / "src" / "salus" / "portal" / "scripts" / "vendor"
FOLDERS: Final = {
    "@hpke/core": "core",
    "@hpke/common": "common",
    "@hpke/dhkem-x25519": "x25519",
    "@hpke/hybridkem-x-wing": "x-wing",
    "mlkem": "mlkem",
    "qr": "qr",
}
PLACES: Final = {"qr": ""}  # where a package keeps its modules, if not in `esm`
# What stands in place of a package's own `mod.js`: the files that are reached from here are taken, no others.
MODULES: Final = {
    "@hpke/core": """export { Aes256Gcm } from "./src/aeads/aesGcm.js";
export { CipherSuiteNative } from "./src/cipherSuiteNative.js";
""",
    "@hpke/common": """export * from "./src/errors.js";
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
""",
    "@hpke/dhkem-x25519": """export { X25519 } from "./src/dhkemX25519.js";
export { HkdfSha256 } from "./src/hkdfSha256.js";
""",
    "@hpke/hybridkem-x-wing": """export { XWing } from "./src/xWing.js";
""",
    "mlkem": """export { MlKem768 } from "./src/mlKem768.js";
export { sha3_256, shake256 } from "./src/sha3/sha3.js";
""",
}
SPECIFIER: Final = re.compile(r"""(\bfrom |\bimport )["']([^"']+)["']""")


def reached(source: Path) -> dict[tuple[str, str], str]:
    """Return the text of every file that the modules reach, by package and path inside it."""
    found: dict[tuple[str, str], str] = {}
    waiting = [
        ("@hpke/core", "modules.js"),
        ("@hpke/hybridkem-x-wing", "modules.js"),
        ("qr", "index.js"),
        ("qr", "decode.js"),
    ]
    while waiting:
        package, path = waiting.pop()
        if (package, path) in found:
            continue
        text = (
            MODULES[package]
            if path == "modules.js"
            else (source / package / PLACES.get(package, "esm") / path).read_text()
        )
        depth = "../" * (path.count("/") + 1)
        own = Path(path).parent

        def address(match: re.Match[str], package: str = package, depth: str = depth, own: Path = own) -> str:
            told = match[2]
            if told in FOLDERS:
                waiting.append((told, "modules.js"))
                return f'{match[1]}"{depth}{FOLDERS[told]}/modules.js"'
            if not told.startswith("."):
                return match[0]  # words of a message
            waiting.append((package, (source / own / told).resolve().relative_to(source.resolve()).as_posix()))
            return match[0]

        # Example imports in comments name packages too: only lines that import are read.
        lines = [line if line.lstrip().startswith("*") else SPECIFIER.sub(address, line) for line in text.split("\n")]
        found[package, path] = re.sub(r"\n//# sourceMappingURL=.*", "", "\n".join(lines))
    return found


def main() -> None:
    """Write files, licences and digests."""
    source = Path(sys.argv[1])
    told = ["# Browser modules taken from npm by tools/vendor_scripts.py. Do not edit them: take them anew.", ""]
    files = reached(source)
    for package, folder in FOLDERS.items():
        about = json.loads((source / package / "package.json").read_text())
        told += [
            f"[{folder}]",
            f'package = "{package}"',
            f'version = "{about["version"]}"',
            f'licence = "{about["license"]}"',
        ]
        own = {path: text for (of, path), text in files.items() if of == package}
        own["LICENSE"] = (source / package / "LICENSE").read_text()
        told.append("[" + folder + ".sha256]")
        for path, text in sorted(own.items()):
            place = TARGET / folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
            told.append(f'"{path}" = "{sha256(text.encode()).hexdigest()}"')
        told.append("")
    (TARGET / "vendored.toml").write_text("\n".join(told))


if __name__ == "__main__":
    main()
