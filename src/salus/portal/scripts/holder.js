/**
 * What a patient does with a wallet: join, read, share, stop, see who looked, correct, erase. It asks members' nodes
 * by the same questions as `salus wallet` (`salus.node.patient.messages`), and believes none of them: keys, grants and
 * readings are checked against the ledger, the record against its chain.
 */

import { concat, equal, hex, random, unbase64url, Unreadable, utf8 } from "./bytes.js";
import { digest, framed, mac, sha256, verifies } from "./digest.js";
import { decode, encode, shape } from "./msgpack.js";
import { changeIn, checkpointIn, checkRow, nodesIn, receiptIn, Unproven } from "./proof.js";
import * as cbor from "./cbor.js";
import { putMessage } from "./opener.js";
import { Broken, LINK, receive, rootOf } from "./records.js";
import { Wallet } from "./wallet.js";

const sealing = () => import("./envelope.js"); // not before it is needed: it is the heaviest part
const TRIES = 3;
const DAY = 24 * 3600 * 1000;
const STALE = 15 * 60 * 1000; // a transaction is taken for 10 minutes at most: later none that was kept back comes
const NONE = new Uint8Array();
const MEMBER = shape("network", "member", "name", "signingKey", "receiveKey", "rounding", "proof");
const ROW = shape("name", "roles", "jurisdiction", "endpoint", "standing", "serial", "since");
const GRANT_ROW = shape("commitment", "expiry", "status", "height");
const KEYS = shape("signingKey", "receiveKey", "height", "time");
const BODY = shape("version", "network", "submitter", "submitterKey", "authorKey", "expiry", "nonce", "message");
const CARRIED = shape("txId", "height", "code", "data", "receipt");
const TRANSCRIPT = shape(
  "format", "network", "member", "memberKey", "link", "linkKey", "contacts", "certificate", "invitation", "claim", "time",
);
const REQUEST = shape("format", "network", "member", "purpose", "roles", "classes", "id", "expires");
const INVITATION = shape("format", "network", "member", "url", "code");
const LOG_LINE = shape("number", "line", "salt", "root", "txId", "size", "index", "path");
const DETAIL = shape(
  "format", "side", "subject", "number", "time", "member", "person", "role", "purpose", "action", "grant", "deferred",
  "what", "answer",
);
const STANDING = shape("status", "opened", "earliest", "due", "reason", "duty", "until");
const CORRECTED = shape("id", "type", "record", "text", "made", "due", "answered", "outcome", "reason");

/** A member's refusal, with its stable code and words. */
export class Refused extends Error {
  constructor(member, [code, message, expected, got, todo]) {
    super(message);
    Object.assign(this, { member, code, expected, got, todo });
  }
}
/** A member's node cannot be reached. */
export class Unreachable extends Error {
  constructor(member) {
    super(member);
    this.member = member;
  }
}
/** What a member shows does not hold. */
export class Forged extends Error {
  constructor(member, message) {
    super(message);
    this.member = member;
  }
}

/** Return an access log as the file that `salus verify` checks; what is not proven is left out. */
export function exported(lines) {
  const receipts = [];
  const told = lines.filter((one) => one.proven).map(({ line, receipt }) => {
    if (!receipts.includes(hex(receipt))) receipts.push(hex(receipt));
    const path = hex(concat(...line.path));
    return { line: hex(line.line), salt: hex(line.salt), receipt: receipts.indexOf(hex(receipt)), index: line.index, size: line.size, path };
  });
  return JSON.stringify({ format: "salus-access-log/1", receipts, lines: told }, null, 1);
}

/** Return what stands in a text that begins with a scheme. Throws Unreadable. */
const told = (scheme, typed) => {
  const bare = typed.trim().startsWith(scheme) ? typed.trim().slice(scheme.length) : typed.trim();
  if (bare.length > 2000) throw new Unreadable("too long");
  return decode(unbase64url(bare));
};

/** Return the invitation in a text. Throws Unreadable. */
export function readInvitation(typed) {
  const found = INVITATION.of(told("salus-invitation:", typed));
  if (found.format !== 1 || found.code.length !== 16 || found.network.length !== 32) throw new Unreadable("no invitation");
  return found;
}

/** A wallet with the members that it can reach. */
export class Holder {
  /** `places` says where browsers reach each member; `trust` is what the wallet starts from. */
  constructor(wallet, trust, places) {
    Object.assign(this, { wallet, trust, places, known: new Map(), names: {} });
  }

  get network() {
    return this.trust.network;
  }

  get members() {
    return this.wallet.state.links.map((one) => one.member);
  }

  // Asking

  async ask(member, path, question) {
    const place = this.places[member];
    if (place === undefined) throw new Unreachable(member);
    let answer, body;
    try {
      answer = await fetch(`${place}/patient/${path}`, {
        method: "POST", body: encode(question), credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
      });
      body = new Uint8Array(await answer.arrayBuffer());
    } catch {
      throw new Unreachable(member);
    }
    let value;
    try {
      value = decode(body);
    } catch {
      throw new Unreachable(member);
    }
    if (answer.status !== 200) throw new Refused(member, value);
    return value;
  }

  /** Send a link-signed instruction, again above the member's counter if ours was behind. */
  async instruct(member, action, argument) {
    let above = 0;
    for (let at = 0; at < TRIES; at++) {
      const signed = await this.wallet.instruct(member, action, encode(argument), this.network, above);
      const answer = await this.ask(member, "instruct", [signed]);
      if (answer.length !== 1 || !Number.isInteger(answer[0])) return answer;
      [above] = answer;
    }
    throw new Refused(member, ["wallet.counter"]); // another device uses this wallet at the same time
  }

  // Members and the ledger

  /** Return a member with keys that the ledger proves. Throws Forged, Unreachable. */
  async member(id) {
    if (!this.known.has(id)) {
      const found = MEMBER.of(await this.ask(id, "about", [this.trust.size]));
      if (!equal(found.network, this.network) || found.member !== id) throw new Forged(id, "a node of another network");
      await this.believed(id, () => this.checkMember(id, found));
      this.known.set(id, found);
    }
    return this.known.get(id);
  }

  async checkMember(id, found) {
    const [member, memberProof, keys, keysProof] = found.proof;
    const key = (table, name) => concat(Uint8Array.of(1, table), name); // the membership contract's tables
    const row = ROW.of(decode(member));
    const serial = new Uint8Array(4);
    new DataView(serial.buffer).setUint32(0, row.serial);
    await this.accept(checkRow(memberProof, key(1, utf8(id)), member));
    await this.accept(checkRow(keysProof, key(2, concat(utf8(`${id}/`), serial)), keys));
    const told = KEYS.of(decode(keys));
    const same = equal(told.signingKey, found.signingKey) && equal(told.receiveKey, found.receiveKey);
    if (row.standing !== "active" || !same) throw new Unproven("Untrusted", "the node shows other keys than the ledger");
    this.names[id] = row.name;
  }

  async accept(receipt) {
    try {
      await this.trust.accept(receipt);
    } catch (error) {
      // A ledger of one without a witness proves nothing against its owner: it is taken, and the page says so.
      if (error.kind !== "Unwitnessed" || this.trust.witnessed || this.trust.needed) throw error;
    }
  }

  /** Return what a check returns; if it does not hold, once more after following the ledger to today. */
  async believed(member, check) {
    try {
      return await check();
    } catch (error) {
      if (await this.follow(member).catch(() => false))
        return check().catch((again) => Promise.reject(new Forged(member, again.message)));
      throw new Forged(member, error.message);
    }
  }

  /** Follow the ledger from the trust on; say whether anything is new. Throws Forged. */
  async follow(member) {
    const [steps] = await this.ask(member, "news", [this.trust.size, this.trust.number]);
    let trust = this.trust;
    try {
      for (const [checkpoint, change, path] of steps.slice(0, 34))
        trust = change.length
          ? await trust.followed(changeIn(change), path)
          : await trust.advanced(checkpointIn(cbor.decode(checkpoint)), path, true);
    } catch (error) {
      throw new Forged(member, `the ledger does not follow from what this wallet knows: ${error.message}`);
    }
    const fresh = trust !== this.trust;
    this.trust = trust;
    return fresh;
  }

  // Joining

  /** Enrol at a member with the invitation that it handed over. */
  async join({ member, code }) {
    const { openEnvelope, receiveKey, sealEnvelope } = await sealing();
    const { signingKey: memberKey, receiveKey: recipient } = await this.member(member);
    const [receiver, linkKey] = [await receiveKey(), await this.wallet.linkKey(member)];
    const certificate = digest("salus/v1/revocation-certificate", this.wallet.certificate(member));
    const name = digest("salus/v1/invitation", code);
    const claim = encode([1, code, receiver.public, linkKey.public, NONE, certificate]);
    const sent = [this.network, linkKey.public, "enrolment-claim", name];
    const [welcome] = await this.ask(member, "enrol", [await sealEnvelope(claim, sent, recipient, linkKey.sign)]);
    const context = [this.network, utf8(member), "enrolment-welcome", name];
    try {
      const [secret, transcript, signature] = decode(await openEnvelope(welcome, context, receiver, memberKey));
      const { link, time } = TRANSCRIPT.of(decode(transcript));
      const expected = TRANSCRIPT.to({
        format: 1, network: this.network, member, memberKey, link, linkKey: linkKey.public, contacts: NONE, certificate,
        invitation: name, claim: digest("salus/v1/enrolment-claim", claim), time,
      });
      const message = framed("salus/v1/enrolment", transcript);
      const holds = equal(transcript, encode(expected)) && link.length === 16 && secret.length === 32;
      if (!holds || !(await verifies(memberKey, message, signature))) throw new Unreadable("another transcript");
      await this.ask(member, "confirm", [link, await linkKey.sign(message)]);
      this.wallet.join(member, link, secret);
    } catch (error) {
      if (error instanceof Unreadable) throw new Forged(member, "the welcome is not what this wallet asked for");
      throw error;
    }
  }

  // Keeping

  /** Store the sealed state at linked members; return those that hold the newest. */
  async keep(members = this.members) {
    const kept = await Promise.all(members.map((member) => this.keepAt(member).catch(() => false)));
    return members.filter((_, at) => kept[at]);
  }

  async keepAt(member) {
    for (let at = 0; at < TRIES; at++) {
      const version = (await this.bringBack(member)) + 1;
      const { file, key, signature } = await this.wallet.sealFor(member, version);
      if (await this.put(member, this.wallet.locator(member), key.public, version, file, signature)) return true;
    }
    return false;
  }

  async put(member, locator, writeKey, version, file, signature) {
    const enrolled = await this.wallet.instruct(member, "keep", locator, this.network);
    const answer = await this.ask(member, "wallet/keep", [locator, writeKey, version, file, signature, enrolled]);
    if (answer.length && answer[0] > (this.wallet.tied(member)?.counter ?? 0))
      this.wallet.replace({ ...this.wallet.tied(member), counter: answer[0] });
    return !answer.length;
  }

  /** Merge the state that a member keeps; return its version, 0 if it keeps none. */
  async bringBack(member) {
    const [version, file] = await this.ask(member, "wallet/return", [this.wallet.locator(member)]);
    if (version) await this.wallet.absorb(member, version, file);
    return version;
  }

  /** Leave the root, wrapped for a passkey or sheet, with linked members; return those that keep it. */
  async leave(opener, members = this.members) {
    const left = [];
    for (const member of members) {
      const locator = opener.locator(member);
      const key = await opener.writeKey(member);
      for (let at = 0; at < TRIES; at++) {
        const [held] = await this.ask(member, "wallet/return", [locator]);
        const file = await opener.sealRoot(member, this.wallet.root);
        const signature = await key.sign(putMessage(locator, held + 1, file));
        if (await this.put(member, locator, key.public, held + 1, file, signature)) {
          left.push(member);
          break;
        }
      }
    }
    return left;
  }

  /** Open the wallet that a member keeps for a passkey or sheet; undefined if it keeps none. */
  static async open(opener, member, trust, places) {
    const asking = new Holder(new Wallet(), trust, places);
    const [version, file] = await asking.ask(member, "wallet/return", [opener.locator(member)]);
    if (!version) return undefined;
    const holder = new Holder(new Wallet(await opener.openRoot(member, file)), trust, places);
    await holder.bringBack(member);
    for (const other of holder.members) if (other !== member) await holder.bringBack(other).catch(() => 0);
    return holder;
  }

  // Sharing

  /** Return the request in a code, signed by the member whose keys the ledger proves. */
  async readRequest(code) {
    const [data, signature] = told("salus-access:", code);
    const request = REQUEST.of(decode(data));
    const { signingKey, name } = await this.member(request.member);
    const signed = await verifies(signingKey, framed("salus/v1/access-request", data), signature);
    if (!equal(request.network, this.network) || !signed) throw new Forged(request.member, "the request is not signed");
    if (Date.now() >= request.expires) throw new Refused(request.member, ["access.expired"]);
    return { ...request, name };
  }

  /** Return exactly what a grant of these terms would open, asked of each member by the function that it serves by. */
  async preview(request, { classes, members, since, until }) {
    const lines = [];
    let more = false;
    for (const member of members) {
      const terms = [request.member, request.roles, request.purpose, classes, since, until];
      const [records, further] = await this.instruct(member, "preview", terms);
      const seen = new Set();
      for (const [type, id] of records) if (!seen.has(`${type}/${id}`) && seen.add(`${type}/${id}`)) lines.push({ member, type, id });
      more ||= further;
    }
    return { lines, more };
  }

  /** Grant what a request asks for, or less, from now for some days. The state is kept before anything is sent. */
  async give(request, { classes, members, since, until, days }, through = this.members[0]) {
    const grantee = await this.member(request.member);
    await this.keepAt(through);
    const now = Date.now();
    const document = {
      format: 1, network: this.network, grantee: request.member, roles: request.roles, purposes: [request.purpose],
      notBefore: now, expiry: now + days * DAY, obligations: [],
    };
    const { sealEnvelope } = await sealing();
    const made = await this.wallet.grant(document, members.map((member) => ({ member, classes, since, until })));
    try {
      if (!(await this.keepAt(through))) throw new Unreachable(through);
      const expiry = Math.ceil(document.expiry / grantee.rounding) * grantee.rounding;
      const carried = await this.author(through, ["consent.grant", made.commitment, expiry], made.key, made.id);
      const context = [this.network, made.key.public, "grant", made.id];
      const granted = encode([request.id, carried.height, made.grant]);
      const envelope = await sealEnvelope(granted, context, grantee.receiveKey, made.key.sign);
      await this.instruct(through, "send", [request.member, "grant", envelope]);
    } finally {
      await this.keep();
    }
    return made.id;
  }

  /** Revoke a grant; in force from the block that holds it. What is proven to be over already, after a lost answer, is marked. */
  async stop(permission, through = this.members[0]) {
    try {
      await this.author(through, ["consent.revoke"], permission.key, permission.id);
    } catch (error) {
      const over = ["consent.NOT_GRANTED", "consent.ALREADY_REVOKED"].includes(error.code);
      if (!over || !(await this.isOver(through, permission))) throw error;
    }
    this.wallet.revoke(permission.index);
    await this.keep();
  }

  /** Tell whether the ledger proves that a grant is revoked, or that it holds none and will not. */
  async isOver(through, { id, notBefore }) {
    const [row, proof] = await this.instruct(through, "grant-row", [id]);
    return this.believed(through, async () => {
      const receipt = checkRow(proof, concat(Uint8Array.of(3, 1), id), row.length ? row : null); // the consent contract's grants
      await this.accept(receipt);
      return row.length ? GRANT_ROW.of(decode(row)).status === 2 : receipt.leaf.time >= notBefore + STALE;
    });
  }

  /** Have a member submit what a one-time key says. The body is read before it is signed. */
  async author(through, message, key, result) {
    const { signingKey } = await this.member(through);
    const [built] = await this.instruct(through, "body", [encode(message), key.public]);
    const body = BODY.of(decode(built));
    const own = equal(body.network, this.network) && body.submitter === through && equal(body.submitterKey, signingKey);
    if (!own || !equal(body.authorKey, key.public) || !equal(encode(body.message), encode(message)))
      throw new Forged(through, "the member built another body than was asked for");
    const signature = await key.sign(framed("salus/v1/transaction/author", built));
    const carried = CARRIED.of(await this.instruct(through, "carry", [built, signature]));
    if (carried.code || !equal(carried.txId, sha256(built)) || !equal(carried.data.slice(0, 32), result))
      throw new Forged(through, "the ledger did not take it");
    if (!carried.receipt.length) throw new Refused(through, ["wallet.unproven"]); // the ledger is not shown to hold this yet
    await this.believed(through, async () => {
      const receipt = receiptIn(carried.receipt);
      await this.accept(receipt);
      const { leaf } = receipt;
      if (!leaf.txId || !equal(leaf.txId, carried.txId) || leaf.code || !equal(leaf.data, carried.data))
        throw new Unproven("Untrusted", "the receipt is of another transaction");
    });
    return carried;
  }

  // Seeing

  /** Return the own records of all members: opened, verified, newest versions only; and the members that did not answer. */
  async records() {
    const [found, missing] = [new Map(), []];
    for (const member of this.members) {
      try {
        for await (const one of this.recordsAt(member)) {
          const name = `${member} ${one.type}/${one.id}`;
          if ((found.get(name)?.version ?? 0) < one.version) found.set(name, one);
        }
        await this.checkChain(member);
      } catch (error) {
        missing.push([member, error]);
      }
    }
    return { records: [...found.values()].filter((one) => one.kind !== 3), missing };
  }

  async *recordsAt(member) {
    const { signingKey } = await this.member(member);
    const { openEnvelope, receiveKey } = await sealing();
    for (let after = 0, last = -1; after > last; ) {
      const key = await receiveKey();
      const [id, records, , envelope, next] = await this.instruct(member, "records", [after, key.public]);
      const context = [this.network, utf8(member), "own-records", id];
      const [openings] = decode(await openEnvelope(envelope, context, key, signingKey));
      if (openings.length !== records.length) throw new Broken("other records than keys");
      for (const [at, served] of records.entries()) {
        const one = await receive(served, openings[at]);
        if (one.writer !== member || !equal(one.link, this.wallet.tied(member).link)) throw new Broken("a record of another link");
        yield one;
      }
      [last, after] = records.length ? [after, next] : [after, after];
    }
  }

  /** Follow the chain of the own record at a member. Throws Broken when what was shown before is no longer so. */
  async checkChain(member) {
    for (;;) {
      const tied = this.wallet.tied(member);
      const [links] = await this.instruct(member, "chain", [Math.max(0, tied.sequence - 1)]);
      let shown = links;
      if (tied.sequence) {
        const first = links.length ? LINK.of(links[0]) : null;
        if (!first || first.sequence !== tied.sequence || !equal(first.leaf, tied.head))
          throw new Broken(`record ${tied.sequence} is no longer shown as it was before`);
        shown = links.slice(1);
      }
      if (!shown.length) return;
      this.wallet.checkRecords(member, shown);
    }
  }

  /** Return who has looked, over all members: lines, oldest first, and what is missing. */
  async accessLog() {
    for (const member of this.members) if (await this.follow(member).then(() => true, () => false)) break;
    const parts = this.wallet.state.links.map(({ member, link }) =>
      this.readLog(member, "custodian", link, (after) => this.instruct(member, "log", [after, this.trust.size])),
    );
    for (const one of await this.wallet.permissions())
      if (one.grantee) parts.push(this.readLog(one.grantee, "grantee", one.id, (after) => this.askGrantee(one, "log", [after, this.trust.size])));
    const all = await Promise.all(parts);
    const lines = all.flatMap((part) => part.lines).sort((a, b) => a.time - b.time || a.number - b.number);
    return { lines, gaps: all.flatMap((part) => part.gaps) };
  }

  async readLog(member, side, subject, ask) {
    const [lines, gaps] = [[], []];
    const known = this.wallet.heard(member, subject);
    const missing = (code, from = 0, to = 0) => gaps.push({ member, code, from, to });
    try {
      for (;;) {
        const last = lines.at(-1)?.number ?? 0;
        const [, part, receipts] = await ask(last);
        if (!part.length) break;
        const roots = new Map();
        for (const [txId, receipt] of receipts)
          roots.set(hex(txId), { receipt, root: await this.anchoredBy(member, txId, receipt) });
        for (const array of part) {
          const one = this.seen(member, side, array, roots);
          const previous = lines.at(-1)?.number ?? 0;
          if (one.number <= previous) throw new Broken("the lines do not go on");
          if (one.number !== previous + 1) missing(previous ? "left_out" : "older", previous + 1, one.number - 1);
          if (!equal(one.subject, subject)) missing("foreign", one.number, one.number);
          lines.push(one);
        }
      }
    } catch (error) {
      missing(error instanceof Unreachable ? "unreachable" : error.code ?? "broken");
      return { lines, gaps };
    }
    if (known && !lines.some((one) => one.number === known.number && equal(one.leaf, known.leaf)))
      missing("shorter", known.number, known.number);
    const newest = lines.at(-1);
    if (newest && newest.number > (known?.number ?? 0)) this.wallet.hear(member, subject, newest.number, newest.leaf);
    return { lines, gaps };
  }

  seen(member, side, array, roots) {
    const line = LOG_LINE.of(array);
    const detail = DETAIL.of(decode(line.line));
    const leaf = mac(mac(line.salt, "salus/v1/disclosure-line", line.line), "salus/v1/disclosure-leaf", line.line.slice(-32));
    const { root, receipt } = roots.get(hex(line.txId)) ?? {};
    const proven = Boolean(line.txId.length && root && equal(root, line.root) && equal(rootOf(leaf, line), root));
    return { ...detail, number: line.number, toldBy: member, side, proven, leaf, line, receipt, txId: hex(line.txId) };
  }

  async anchoredBy(member, txId, bytes) {
    try {
      const receipt = receiptIn(bytes);
      await this.accept(receipt);
      const { leaf } = receipt;
      const submitter = new TextDecoder().decode(leaf.data.slice(34));
      return equal(leaf.txId, txId) && !leaf.code && submitter === member ? leaf.data.slice(0, 32) : null;
    } catch {
      return null;
    }
  }

  async askGrantee(permission, action, argument) {
    const data = encode([permission.key.public, permission.grantee, Date.now(), action, encode(argument)]);
    return this.ask(permission.grantee, "grant", [data, await permission.key.sign(framed("salus/v1/grant-instruction", data))]);
  }

  // Wishes

  /** Ask the member that wrote a record to correct it. */
  correct = ({ writer, type, id }, text) => this.instruct(writer, "correct", [random(16), type, id, text]);

  /** Return what became of every request to correct, newest first, how far each erasure has come, and who did not answer. */
  async wishes() {
    const [corrections, erasures, missing] = [[], [], []];
    await Promise.all(
      this.members.map(async (member) => {
        try {
          const [requests] = await this.instruct(member, "corrections", []);
          erasures.push({ member, ...STANDING.of(await this.instruct(member, "erasure-standing", [])) });
          corrections.push(...requests.map((one) => ({ member, ...CORRECTED.of(one) })));
        } catch (error) {
          missing.push([member, error]);
        }
      }),
    );
    const order = (one, other) => this.members.indexOf(one.member) - this.members.indexOf(other.member);
    return { corrections: corrections.sort((a, b) => b.made - a.made), erasures: erasures.sort(order), missing };
  }

  /** Ask a member to erase the own record. */
  erase = (member) => this.instruct(member, "erase", [random(16)]);
}
