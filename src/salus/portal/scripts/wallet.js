/**
 * A wallet: its root, the keys that follow from it, and its state. The same as `salus.vault.wallet`, byte for byte: a
 * wallet made here opens on the command line, and the other way round.
 */

import { big, concat, equal, hex, random, utf8 } from "./bytes.js";
import { digest, framed, mac, seal, sha256, signingKey, unseal } from "./digest.js";
import { decode, encode, shape } from "./msgpack.js";
import { putMessage } from "./opener.js";
import { Broken, followed, paddedLength } from "./records.js";

const FLOOR = 16 * 1024;
const SIZES = [8, 16, 32];
const STATE = shape("format", "links", "grants", "nextIndex", "heard");
const TIED = shape("member", "link", "secret", "generation", "counter", "sequence", "head");
const GIVEN = shape("index", "grant", "revoked");
const HEARD = shape("member", "subject", "number", "leaf");
const GRANT = shape("document", "salt", "parts", "digests", "link", "demographics");
export const DOCUMENT = shape("format", "network", "grantee", "roles", "purposes", "notBefore", "expiry", "obligations");
const SLIP = shape("format", "network", "custodian", "link", "grant", "document", "classes", "since", "until", "filters");

const EMPTY = { links: [], grants: [], nextIndex: 0, heard: [] };
const seedOf = (root, label, ...fields) => mac(root, `salus/v1/${label}`, ...fields);

/** Return the id of the grant that a one-time key authors. */
export const grantId = (key) => sha256(key);

function stateIn(bytes) {
  const told = STATE.of(decode(bytes));
  if (told.format !== 1) throw new Broken("the wallet's state is of another format");
  return {
    links: told.links.map(TIED.of),
    grants: told.grants.map(GIVEN.of),
    nextIndex: told.nextIndex,
    heard: told.heard.map(HEARD.of),
  };
}

const stateOut = ({ links, grants, nextIndex, heard }) =>
  encode([1, links.map(TIED.to), grants.map(GIVEN.to), nextIndex, heard.map(HEARD.to)]);

const before = (one, two) => {
  for (let at = 0; at < Math.min(one.length, two.length); at++) if (one[at] !== two[at]) return one[at] < two[at];
  return one.length < two.length;
};

const order = (one, two) => (equal(one, two) ? 0 : before(one, two) ? -1 : 1);

function further(mine, other) {
  if (mine.generation !== other.generation || !equal(mine.link, other.link) || !equal(mine.secret, other.secret)) {
    const later = mine.generation - other.generation || order(mine.link, other.link) || order(mine.secret, other.secret);
    return later >= 0 ? mine : other;
  }
  if (mine.sequence === other.sequence && !equal(mine.head, other.head))
    throw new Broken(`a member showed two chains that differ at record ${mine.sequence}`);
  const ahead = mine.sequence >= other.sequence ? mine : other;
  return { ...ahead, counter: Math.max(mine.counter, other.counter) };
}

/** Return the union of two states: grants and links, whatever is further along. */
export function merge(one, other) {
  const links = new Map(one.links.map((tied) => [tied.member, tied]));
  for (const tied of other.links) {
    const mine = links.get(tied.member);
    links.set(tied.member, mine ? further(mine, tied) : tied);
  }
  const nameOf = (given) => `${given.index} ${hex(encode(given.grant))}`;
  const grants = new Map(one.grants.map((given) => [nameOf(given), given]));
  for (const given of other.grants) {
    const mine = grants.get(nameOf(given));
    grants.set(nameOf(given), { ...given, revoked: given.revoked || Boolean(mine?.revoked) });
  }
  const heard = new Map();
  for (const line of [...one.heard, ...other.heard]) {
    const name = `${line.member} ${hex(line.subject)}`;
    const known = heard.get(name);
    const later = !known || line.number > known.number || (line.number === known.number && before(known.leaf, line.leaf));
    heard.set(name, later ? line : known);
  }
  return {
    links: [...links.values()].sort((a, b) => order(utf8(a.member), utf8(b.member))),
    grants: [...grants.values()].sort((a, b) => a.index - b.index || order(encode(a.grant), encode(b.grant))),
    nextIndex: Math.max(one.nextIndex, other.nextIndex),
    heard: [...heard.values()].sort((a, b) => order(utf8(a.member), utf8(b.member)) || order(a.subject, b.subject)),
  };
}

/** A root and a state, in this page's memory and nowhere else. */
export class Wallet {
  constructor(root = random(32), state = EMPTY) {
    this.root = root;
    this.state = state;
  }

  oneTimeKey = (index) => signingKey(seedOf(this.root, "one-time", big(index, 8)));
  linkKey = (member, generation = 0) => signingKey(seedOf(this.root, "link-key", utf8(member), big(generation, 8)));
  certificate = (member) => seedOf(this.root, "link-certificate", utf8(member), big(0, 8));
  locator = (member) => seedOf(this.root, "wallet-locator", utf8(member));
  writeKey = (member) => signingKey(seedOf(this.root, "wallet-write", utf8(member)));

  /** Return the link with a member, or undefined. */
  tied = (member) => this.state.links.find((one) => one.member === member);

  replace(tied) {
    const links = this.state.links.filter((one) => one.member !== tied.member);
    this.state = { ...this.state, links: [...links, tied] };
  }

  /** Take up a link whose welcome was checked. */
  join(member, link, secret) {
    this.replace({ member, link, secret, generation: 0, counter: 0, sequence: 0, head: new Uint8Array() });
  }

  /** Follow a member's chain from where it was last followed. Throws Broken. */
  checkRecords(member, shown) {
    const tied = this.tied(member);
    const [sequence, head] = followed(tied.link, [tied.sequence, tied.head], shown);
    this.replace({ ...tied, sequence, head });
  }

  /** Return a signed instruction with the next counter; `above` is what a refusal returned. */
  async instruct(member, action, argument, network, above = 0) {
    const tied = this.tied(member);
    const counter = Math.max(tied.counter, above) + 1;
    this.replace({ ...tied, counter });
    const data = encode([1, network, member, tied.link, counter, action, argument]);
    const key = await this.linkKey(member, tied.generation);
    return encode([data, await key.sign(framed("salus/v1/instruction", data))]);
  }

  /** Return the newest journal line that a member ever told of a link or grant. */
  heard = (member, subject) => this.state.heard.find((one) => one.member === member && equal(one.subject, subject));

  hear(member, subject, number, leaf) {
    this.state = merge(this.state, { ...EMPTY, heard: [{ member, subject, number, leaf }] });
  }

  /** Return a grant, its commitment and its one-time key. Shares are {member, classes, since, until}. */
  async grant(document, shares) {
    const index = this.state.nextIndex;
    const key = await this.oneTimeKey(index);
    const told = encode(DOCUMENT.to(document));
    const id = grantId(key.public);
    const size = SIZES.find((one) => shares.length < one);
    const pieces = Array.from({ length: size }, () => random(32));
    const part = (salt, data) => mac(salt, "salus/v1/grant-part", data);
    const parts = [];
    const digests = [part(pieces[0], told)];
    for (const [at, share] of shares.entries()) {
      const tied = this.tied(share.member);
      const slip = encode(
        SLIP.to({
          format: 1, network: document.network, custodian: share.member, link: tied.link, grant: id,
          document: digest("salus/v1/grant-document", told), classes: share.classes, since: share.since,
          until: share.until, filters: [],
        }),
      );
      const linkKey = await this.linkKey(share.member, tied.generation);
      parts.push([share.member, [slip, await linkKey.sign(framed("salus/v1/slip", slip))], pieces[at + 1], at + 1]);
      digests.push(part(pieces[at + 1], slip));
    }
    digests.push(...pieces.slice(shares.length + 1));
    const link = this.tied(document.grantee)?.link ?? new Uint8Array();
    const grant = GRANT.to({ document: told, salt: pieces[0], parts, digests, link, demographics: new Uint8Array() });
    this.state = {
      ...this.state,
      grants: [...this.state.grants, { index, grant, revoked: false }],
      nextIndex: index + 1,
    };
    return { grant, index, key, id, commitment: digest("salus/v1/grant-commitment", ...digests) };
  }

  /** Forget a grant that came to nothing; its index stays used. */
  forget(index) {
    this.state = { ...this.state, grants: this.state.grants.filter((one) => one.index !== index) };
  }

  /** Mark a grant revoked. */
  revoke(index) {
    const grants = this.state.grants.map((one) => (one.index === index ? { ...one, revoked: true } : one));
    this.state = { ...this.state, grants };
  }

  /** Return every grant that the wallet gave, oldest first. */
  async permissions() {
    return Promise.all(
      this.state.grants.map(async ({ index, grant, revoked }) => {
        const told = GRANT.of(grant);
        const key = await this.oneTimeKey(index);
        const slips = told.parts.map(([, [slip]]) => SLIP.of(decode(slip)));
        const classes = [...new Set(slips.flatMap((slip) => slip.classes))];
        const members = slips.map((slip) => slip.custodian);
        return { id: grantId(key.public), key, index, revoked, members, classes, ...DOCUMENT.of(decode(told.document)) };
      }),
    );
  }

  /** Return the file for a member as its version, and the signature of the write. */
  async sealFor(member, version) {
    const data = stateOut(this.state);
    const padded = new Uint8Array(paddedLength(4 + data.length, FLOOR));
    padded.set(concat(big(data.length, 4), data));
    const head = concat(Uint8Array.of(1, 1), random(32), seedOf(this.root, "wallet-state", utf8(member), padded));
    const file = concat(head, await seal(this.fileKey(member, version, head), padded, this.bound(member, version)));
    const key = await this.writeKey(member);
    return { file, key, signature: await key.sign(putMessage(this.locator(member), version, file)) };
  }

  /** Merge the state in a member's file into this one. Throws. */
  async absorb(member, version, file) {
    const padded = await unseal(this.fileKey(member, version, file), file.slice(66), this.bound(member, version));
    const end = 4 + new DataView(padded.buffer).getUint32(0);
    this.state = merge(this.state, stateIn(padded.slice(4, end)));
  }

  fileKey = (member, version, head) =>
    seedOf(this.root, "wallet-file", utf8(member), big(version, 8), head.slice(2, 34), head.slice(34, 66));

  bound = (member, version) => concat(this.locator(member), big(version, 8));
}
