"""Notices to patients: an outbox, tried until it is out, with texts free of content.

A mail may be read by others: it says that something happened and where to look, never what, by whom or about whom.
The address, given by the patient to this member, lies encrypted on the desk beside the vault.
"""

import os
import smtplib
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Final, Protocol

from salus.node.config import Notices
from salus.node.desk import Outgoing
from salus.node.errors import Unavailable
from salus.node.member import MemberNode

KIND: Final = "notice"
RETRY_MS: Final = 10 * 60 * 1000
SMTP_SECONDS: Final = 20.0

GRANT_HELD: Final = "grant-held"
ERASURE_OPENED: Final = "erasure-opened"
EMERGENCY_READ: Final = "emergency-read"
CORRECTION_ANSWERED: Final = "correction-answered"
RESEARCH_BEGUN: Final = "research-begun"
DEVICE_RECALLED: Final = "device-recalled"
HOST_ASKS: Final = "host-asks"
TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    GRANT_HELD: (
        "A permission of yours has arrived",
        (
            "A permission that you gave has arrived at the organisation it is for.\n"
            "Your wallet shows it under `grants`, and who has looked under `log`.\n"
            "If you gave none, stop it there and tell the organisation.\n"
        ),
    ),
    HOST_ASKS: (
        "We need your answer",
        (
            "The organisation that keeps your wallet wants to read records of yours that we keep.\n"
            "It reads nothing until you say yes to us. Here you see what it would read, and say yes or no:\n"
        ),
    ),
    DEVICE_RECALLED: (
        "Something in your record needs your attention",
        (
            "An organisation that keeps records of yours has put a safety note into them.\n"
            "Your wallet shows it in your record. Ask the organisation what to do; do not wait for another message.\n"
        ),
    ),
    EMERGENCY_READ: (
        "Your record was read in an emergency",
        (
            "An organisation that keeps records of yours was asked for them in an emergency, without a permission.\n"
            "Your wallet shows who and why under `log`. If there was no emergency, tell the organisation now.\n"
        ),
    ),
    CORRECTION_ANSWERED: (
        "Your request to correct was answered",
        (
            "An organisation that keeps records of yours has answered your request to correct one.\n"
            "Your wallet shows the answer under `corrections`.\n"
        ),
    ),
    RESEARCH_BEGUN: (
        "A study has begun that counts you",
        (
            "An organisation that keeps records of yours counts them in a study.\n"
            "Your wallet shows which, and how the answer leaves, under `where-was-i`.\n"
            "There you can also object, end your choice, or end these messages.\n"
        ),
    ),
    ERASURE_OPENED: (
        "A request to erase was received",
        (
            "An organisation that keeps records of yours has received a request to erase them.\n"
            "Nothing is deleted for the next days. If the request is not yours, tell the organisation now.\n"
        ),
    ),
}
"""Subject and text by notice. Nothing is filled in; where a word is asked for, the address to say it at follows."""
ANSWER_PATH: Final = "/confirm"


class Post(Protocol):
    """Carries a notice out of the house. Raises Unavailable."""

    def send(self, address: str, subject: str, text: str) -> None:
        """Send it, or keep it where it is fetched from."""


class ToFolder:
    """Writes each notice into a file of a folder, for a program that sends it. The twin of SMTP."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, address: str, subject: str, text: str) -> None:
        """Write a message of RFC 5322 under a random name. Raises Unavailable."""
        name = f"{os.urandom(16).hex()}.eml"
        draft = self._folder / f".{name}.new"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(bytes(_message("", address, subject, text)))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._folder / name)
        except OSError as error:
            raise Unavailable("notice.folder", "a notice cannot be written", got=str(error.strerror)) from error


class OverSmtp:
    """Sends by SMTP (RFC 5321) with STARTTLS where the server offers it."""

    def __init__(self, host: str, port: int, sender: str) -> None:
        self._host = host
        self._port = port
        self._sender = sender

    def send(self, address: str, subject: str, text: str) -> None:
        """Send it. Raises Unavailable, without the server's words: they may repeat the address."""
        try:
            with smtplib.SMTP(self._host, self._port, timeout=SMTP_SECONDS) as smtp:
                smtp.ehlo()
                if smtp.has_extn("starttls"):
                    smtp.starttls()
                smtp.send_message(_message(self._sender, address, subject, text))
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(
                "notice.smtp",
                "the mail server does not take a notice",
                got=type(error).__name__,
                todo="see notices.smtp",
            ) from None


def post_of(config: Notices) -> Post | None:
    """Return the way out that the configuration names, or None."""
    if config.smtp_host:
        return OverSmtp(config.smtp_host, config.smtp_port, config.sender)
    return ToFolder(Path(config.folder)) if config.folder else None


def set_contact(node: MemberNode, link: bytes, address: str) -> None:
    """Keep where a patient is told; an empty address forgets it."""
    node.desk.set_contact(link, address)


def notify(node: MemberNode, link: bytes, notice: str, *, once: bytes = b"", code: str = "") -> None:
    """Put a notice to the patient of a link into the outbox; nothing where no address is known.

    What is told under the same 16 bytes `once` a second time is not sent again. `code` is what the
    patient answers with, where a word is asked for.
    """
    address = node.desk.contact(link)
    if address:
        now = node.now()
        node.desk.send_later(
            Outgoing(once or node.entropy(16), KIND, address, f"{notice} {code}".strip().encode(), now, now, 0)
        )


def send_due(node: MemberNode, post: Post) -> int:
    """Try every notice that is due; return how many went out."""
    sent = 0
    for one in node.desk.due(node.now(), KIND):
        notice, _, code = one.body.decode().partition(" ")
        subject, text = TEXTS[notice]
        if code:
            text += f"\n{node.config.http.public_url.rstrip('/')}{ANSWER_PATH}?code={code}\n"
        try:
            post.send(one.receiver, subject, text)
        except Unavailable as error:
            node.desk.again(one.id, node.now() + RETRY_MS, error.code)
            continue
        node.desk.sent(one.id, node.now())
        sent += 1
    return sent


def _message(sender: str, address: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    if sender:
        message["From"] = sender
    message["To"] = address
    message["Subject"] = subject
    message.set_content(text)
    return message
