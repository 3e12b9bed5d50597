"""The node's configuration: one frozen struct, from a TOML file and the environment, read once at the start.

A key of the environment is SALUS_ and the path of the key in capitals (`SALUS_HTTP_PORT`); it wins over the file.
Unknown keys are errors in both. Configuration never changes a state transition: what may is a parameter on the ledger.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_type_hints

import msgspec
from msgspec import Meta

from salus.node.errors import Malformed, NotFound
from salus.node.fields import Field, fields, is_struct

PREFIX: Final = "SALUS_"
# Read by the programs themselves, not part of the configuration: where the file is.
FILE_VARIABLE: Final = "SALUS_CONFIG"


class Http(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the node answers to browsers, programs and other members."""

    host: Annotated[str, Meta(description="Address to listen on.", examples=["127.0.0.1", "0.0.0.0"])] = "127.0.0.1"  # noqa: S104 -- an example
    port: Annotated[
        int, Meta(ge=0, le=65535, description="TCP port to listen on; 0 takes a free one.", examples=[8480])
    ] = 8480
    public_url: Annotated[
        str,
        Meta(
            description="URL by which others reach this node; signed requests name it.",
            examples=["https://salus.example.org"],
        ),
    ] = "http://127.0.0.1:8480"
    tls_certificate: Annotated[
        str,
        Meta(
            description="PEM file of the certificate chain; empty: plain HTTP, for a proxy in front.",
            examples=["/etc/salus/tls.pem"],
        ),
    ] = ""
    tls_key: Annotated[str, Meta(description="PEM file of the certificate's key.", examples=["/etc/salus/tls.key"])] = (
        ""
    )
    tls_authorities: Annotated[
        str,
        Meta(
            description="PEM file of authorities that other nodes' certificates may be from, beside the system's.",
            examples=["/etc/salus/authorities.pem"],
        ),
    ] = ""
    # 64 MiB: a FHIR transaction bundle of about 20,000 resources; larger sets are imported from files.
    max_body_bytes: Annotated[
        int, Meta(ge=1, description="Largest body of a request, in bytes.", examples=[67108864])
    ] = 64 * 1024 * 1024


class LedgerAt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who orders the ledger."""

    owner: Annotated[
        str,
        Meta(description="Member id of who orders the ledger; empty: this node does.", examples=["north-hospital"]),
    ] = ""
    url: Annotated[
        str,
        Meta(description="URL of the owner's node; empty when this node orders.", examples=["https://north.example"]),
    ] = ""
    accept_clock: Annotated[
        str,
        Meta(
            pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
            description="Day (UTC) on which the clock is believed though it is more than 30 days from the ledger's newest "
            "block: for a node that stood still as long. Empty: never.",
            examples=["2026-11-26"],
        ),
    ] = ""
    map_bytes: Annotated[
        int,
        Meta(
            ge=1 << 20,
            le=1 << 46,
            description="Bytes to which the ledger's file may grow; a full one takes nothing more until this is raised.",
            examples=[137438953472],
        ),
    ] = 64 << 30


class Consensus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How this node's CometBFT meets the others', where the data folder holds one."""

    listen: Annotated[
        str,
        Meta(description="host:port that other members' engines connect to.", examples=["0.0.0.0:26656"]),
    ] = "127.0.0.1:26656"
    peers: Annotated[
        str,
        Meta(
            description="Other members' engines, as id@host:port, between commas; empty: those of the founding.",
            examples=["6e4f7a5b0c1d2e3f405162738495a6b7c8d9eaf0@salus.north.example:26656"],
        ),
    ] = ""
    # 30 days: longer than an invitation lives (a week), so that whoever was away longer joins anew by one.
    keep_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_600,
            description="Days of blocks that the engine keeps for members that were away; 0 keeps all, for an archive.",
            examples=[30, 0],
        ),
    ] = 30


class Notices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How notices to patients leave: by SMTP, or into a folder; without either they wait on the desk."""

    smtp_host: Annotated[str, Meta(description="Mail server; empty: none.", examples=["mail.north.example"])] = ""
    smtp_port: Annotated[int, Meta(ge=1, le=65535, description="Port of the mail server.", examples=[587])] = 587
    sender: Annotated[str, Meta(description="Address that notices come from.", examples=["records@north.example"])] = ""
    folder: Annotated[
        str,
        Meta(
            description="Folder that notices are written to as messages, when there is no mail server.",
            examples=["/var/spool/salus"],
        ),
    ] = ""


class Fhir(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The FHIR server's demands on what is written through it. Files taken in are checked by `salus fhir check`."""

    validate_writes: Annotated[
        bool,
        Meta(
            description="Refuse a create, update or transaction that breaks a rule of R4 or of a profile it claims.",
            examples=[True],
        ),
    ] = True
    packages: Annotated[
        str,
        Meta(
            description="Folder of FHIR packages (.tgz) whose profiles are checked; empty: the core of R4 alone.",
            examples=["/etc/salus/fhir-packages"],
        ),
    ] = ""
    without_consent: Annotated[
        Literal["", "basic-normal", "all-normal", "break-glass-only", "deny"],
        Meta(
            description="Default policy of IHE PCF: what is read of own patients where no consent on file says anything, within the "
            "member's policy; empty: that policy alone.",
            examples=["basic-normal"],
        ),
    ] = ""


class Oidc(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The organisation's own OpenID provider, where its staff sign in; without an issuer there is none."""

    issuer: Annotated[
        str, Meta(description="Issuer of the provider; empty: none.", examples=["https://login.north.example"])
    ] = ""
    client_id: Annotated[str, Meta(description="This node's id at the provider.", examples=["salus"])] = ""
    client_secret_file: Annotated[
        str, Meta(description="File with the secret of that id; empty: none.", examples=["/etc/salus/oidc-secret"])
    ] = ""
    scope: Annotated[str, Meta(description="Scopes to ask for.", examples=["openid groups"])] = "openid"
    claim: Annotated[
        str, Meta(description="Claim of the id token that names groups.", examples=["groups", "roles"])
    ] = "groups"
    roles: Annotated[
        str,
        Meta(
            description="As what each group acts here, between commas; the first that fits counts.",
            examples=["doctors=physician:TREAT+ETREAT, ward=nurse:TREAT"],
        ),
    ] = ""


class Hl7(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messages of HL7 v2 over MLLP, from the member's own systems."""

    port: Annotated[
        int,
        Meta(
            ge=0, le=65535, description="TCP port that takes messages while the node serves; 0: none.", examples=[2575]
        ),
    ] = 0
    host: Annotated[
        str,
        Meta(description="Address to listen on. MLLP has no encryption: the own network only.", examples=["127.0.0.1"]),
    ] = "127.0.0.1"
    zone: Annotated[
        str,
        Meta(
            pattern=r"^([+-][0-9]{2}:[0-9]{2})?$",
            description="Offset of times written without one; empty: such times keep their day only.",
            examples=["+01:00"],
        ),
    ] = ""
    authorities: Annotated[
        str,
        Meta(
            description="URIs of assigning authorities, as NAMESPACE=URI between commas; any other is one of its sender's own.",
            examples=["NORTH=urn:oid:1.2.3.4"],
        ),
    ] = ""
    test_system: Annotated[
        bool, Meta(description="Take test messages (MSH-11 T or D) instead of live ones.", examples=[False])
    ] = False


class Supply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The supply chain: who answers verification requests, and whom the EPCIS repository may call of itself."""

    gln: Annotated[
        str,
        Meta(
            pattern="^([0-9]{13})?$",
            description="Global location number told in verification answers; empty: none.",
            examples=["0614141007776"],
        ),
    ] = ""

    webhooks: Annotated[
        str,
        Meta(
            description="Beginnings of web addresses that subscriptions may name, between commas; empty: none.",
            examples=["https://partner.example/epcis/"],
        ),
    ] = ""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that an operator may set."""

    member: Annotated[
        str,
        Meta(
            pattern="^[a-z][a-z0-9-]{1,31}$",
            description="Id of the member whose node this is, as on the ledger.",
            examples=["st-anna"],
        ),
    ] = "solo"
    data: Annotated[
        str, Meta(min_length=1, description="Folder of everything the node keeps.", examples=["/var/lib/salus"])
    ] = "salus-data"
    runtime: Annotated[
        str,
        Meta(
            description="Folder of the unix socket; empty: RUNTIME_DIRECTORY, XDG_RUNTIME_DIR or a folder of the user's own under the temporary folder.",
            examples=["/run/salus"],
        ),
    ] = ""
    passphrase_file: Annotated[
        str,
        Meta(
            description="File with the keystore's passphrase; empty: systemd's credential if there is one, else "
            "`passphrase` in the data folder, which `salus network found` writes. Keep it on another disk.",
            examples=["/etc/salus/passphrase"],
        ),
    ] = ""
    erasures_file: Annotated[
        str,
        Meta(
            description="File of the list of erasures, which keeps a restored vault from bringing back whom it erased; "
            "empty: beside the vault, and then the node says nothing about patients before other members have confirmed "
            "that its ledger is the newest. Keep it on another disk, and out of every backup.",
            examples=["/var/lib/salus-erasures/list"],
        ),
    ] = ""
    ledger: Annotated[LedgerAt, Meta(description="Who orders the ledger.")] = msgspec.field(default_factory=LedgerAt)
    http: Annotated[Http, Meta(description="The HTTP edge.")] = msgspec.field(default_factory=Http)
    consensus: Annotated[Consensus, Meta(description="The consortium's engine.")] = msgspec.field(
        default_factory=Consensus
    )
    fhir: Annotated[Fhir, Meta(description="The FHIR server.")] = msgspec.field(default_factory=Fhir)
    oidc: Annotated[Oidc, Meta(description="Where staff sign in.")] = msgspec.field(default_factory=Oidc)
    hl7: Annotated[Hl7, Meta(description="HL7 v2.")] = msgspec.field(default_factory=Hl7)
    notices: Annotated[Notices, Meta(description="Notices to patients.")] = msgspec.field(default_factory=Notices)
    supply: Annotated[Supply, Meta(description="The supply chain.")] = msgspec.field(default_factory=Supply)


def keys(struct: type[msgspec.Struct] = Config, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    """Return every key with its path, sections opened."""
    for field in fields(struct):
        here = (*path, field.name)
        if is_struct(field.type):
            yield from keys(field.type, here)
        else:
            yield here, field


def variable(path: tuple[str, ...]) -> str:
    """Return the name of a key in the environment."""
    return PREFIX + "_".join(path).upper()


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the tree of the keys set in the environment. Raises Malformed on an unknown SALUS_ variable."""
    known = {variable(path): path for path, _ in keys()}
    tree: dict[str, Any] = {}
    for name, value in environment.items():
        if not name.startswith(PREFIX) or name == FILE_VARIABLE:
            continue
        if name not in known:
            raise Malformed(
                "config.unknown-variable",
                f"{name} is no key",
                expected=", ".join(sorted(known)),
                todo="unset it or correct its name",
            )
        *sections, key = known[name]
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value
    return tree


def _over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay one tree of keys over another."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _over(under, value) if isinstance(value, dict) and isinstance(under, dict) else value
    return merged


def read(file: Path | None, environment: Mapping[str, str]) -> Config:
    """Return the configuration of `file` (None: no file) under that of `environment`.

    Raises NotFound when the file is not there, Malformed when a key is unknown or a value is not what its key takes.
    """
    tree: dict[str, Any] = {}
    if file is not None:
        try:
            tree = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise NotFound(
                "config.no-file",
                "the configuration file is not there",
                got=str(file),
                todo=f"create it or unset {FILE_VARIABLE}",
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Malformed(
                "config.not-toml",
                f"{file} does not read as TOML",
                expected="TOML 1.0 in UTF-8",
                got=str(error),
                todo="mend that line; docs/reference/config.md has an example of each key",
            ) from error
    try:
        # Strict for the file, whose values have types; the environment has only text.
        msgspec.convert(tree, Config)
        return msgspec.convert(_over(tree, _from_environment(environment)), Config, strict=False)
    except msgspec.ValidationError as error:
        raise Malformed(
            "config.invalid", f"a key does not hold: {error}", todo="see docs/reference/config.md"
        ) from error


def section_docs() -> Iterator[tuple[str, str]]:
    """Return each section's name and docstring, the top first."""
    yield "", (Config.__doc__ or "")
    for name, hint in get_type_hints(Config).items():
        if is_struct(hint):
            yield name, (hint.__doc__ or "")
