/** The patient's wallet: opened, kept and used in this page alone. Views by the part of the address behind `#`. */

import { hex, Unreadable } from "./bytes.js";
import { Malformed } from "./cbor.js";
import { knowsEd25519 } from "./digest.js";
import { field, h, save, select, table } from "./elements.js";
import { Forged, Holder, readInvitation, Refused, Unreachable } from "./holder.js";
import { makePasskey, newSheet, NoPrf, Opener, usePasskey } from "./opener.js";
import { Trust, Unproven } from "./proof.js";
import { Broken } from "./records.js";
import { Wallet } from "./wallet.js";

const root = document.querySelector("#wallet");
const told = JSON.parse(root.dataset.texts);
const codes = JSON.parse(root.dataset.codes);
const places = JSON.parse(root.dataset.places);
const here = root.dataset.member;
const view = root.querySelector("#view");
const status = root.querySelector("[role=status]");
const lock = root.querySelector("#lock");
const problem = root.querySelector("[role=alert]");
const IDLE = 10 * 60 * 1000;
const PINNED = "salus-trust";

let holder = null;
let known = null; // the own records, fetched once a session
let busy = false;
let moved = false; // to another view, while something ran

/** Return a text of the catalogue with its facts put in. */
export function t(key, facts = {}) {
  return told[key].replace(/\{(\w+)\}/g, (_, name) => (facts[name] ?? "").toLocaleString(document.documentElement.lang));
}

/** Return a code as words. */
export function plain(word) {
  const apart = word === word.toUpperCase() ? word : word.replace(/[A-Z]/g, (one) => ` ${one.toLowerCase()}`).trim().replace(/[-_]/g, " ");
  return told[`words.${word}`] ?? apart.charAt(0).toUpperCase() + apart.slice(1);
}

/** Return a day (ISO) or a time (Unix ms) as a person reads it. */
export function when(moment) {
  if (!moment) return "";
  const iso = typeof moment === "number" ? new Date(moment).toISOString() : moment;
  const [year, month, day] = iso.slice(0, 10).split("-");
  if (!day) return iso.slice(0, 10);
  const words = t("date.day", { year, month: told["date.months"].split(" ")[month - 1], day: Number(day) });
  return typeof moment === "number" ? `${words}, ${iso.slice(11, 16)} UTC` : words;
}

const nameOf = (member) => holder?.names[member] ?? member;
const tabs = () => [
  ["record", t("frame.my_record")], ["trends", t("wallet.trends")], ["sharing", t("frame.my_sharing")],
  ["looked", t("frame.my_looked")], ["requests", t("frame.my_requests")], ["keys", t("wallet.keys")],
];

// What goes wrong is said in words: what happened, and what to do.

const refused = ({ code, member }) => t(`refusals.${codes[code] ?? "other"}`, { member: nameOf(member), code });

function explain(error) {
  if (error instanceof NoPrf) return t("wallet.no_prf");
  if (error?.name === "NotAllowedError" || error?.name === "AbortError") return t("wallet.not_now");
  if (error?.name === "InvalidStateError") return t("wallet.not_now");
  if (error instanceof Unreachable) return t("wallet.unreachable", { member: nameOf(error.member) });
  if (error instanceof Forged || error instanceof Broken || error instanceof Unproven)
    return t("refusals.forged", { member: nameOf(error.member ?? here) });
  if (error instanceof Refused) return refused(error);
  if (error instanceof Unreadable || error instanceof Malformed) return t("wallet.unreadable");
  throw error;
}

/** Do one thing at a time: a second click while it runs does nothing. */
async function act(doing) {
  if (busy) return;
  busy = true;
  moved = false;
  problem.hidden = true;
  status.textContent = t("wallet.working");
  root.setAttribute("aria-busy", "true");
  try {
    await doing();
  } catch (error) {
    problem.textContent = explain(error);
    problem.hidden = false;
    problem.scrollIntoView({ block: "nearest" });
  } finally {
    busy = false;
    status.textContent = "";
    root.removeAttribute("aria-busy");
  }
  if (moved) await act(route);
}

const button = (words, doing, kind) => h("button", { type: "button", class: kind, click: () => act(doing) }, words);
const form = (doing, ...children) =>
  h("form", { class: "card", submit: (event) => { event.preventDefault(); act(() => doing(event.target)); } }, ...children);
const note = (words, kind = "") => h("div", { class: `note ${kind}` }, h("p", {}, words));
const empty = (words) => h("p", { class: "empty" }, words);

function show(title, ...children) {
  const first = !view.firstChild;
  const head = h("h1", { tabindex: "-1" }, title);
  const own = holder && h("nav", { class: "tabs", "aria-label": t("wallet.parts") }, h("ul", {}, tabs().map(([name, words]) =>
    h("li", {}, h("a", { href: `#${name}`, "aria-current": location.hash.slice(1).split("/")[0] === name ? "page" : undefined }, words)))));
  view.replaceChildren(...[own, head, ...children].flat(3).filter(Boolean));
  lock.hidden = !holder;
  if (!first) head.focus(); // a page that was just opened is read from its beginning
}

// Coming in

/** Where the trust in a network is kept: another network does not push it out. */
const placeOf = ({ network }) => `${PINNED}-${hex(network)}`;

function pinned() {
  const offered = Trust.read(root.dataset.trust);
  try {
    const kept = Trust.read(localStorage.getItem(placeOf(offered)) ?? "");
    if (hex(kept.network) === hex(offered.network)) return kept; // what was believed once is followed, never replaced
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
  }
  return offered;
}

function pin() {
  try {
    localStorage.setItem(placeOf(holder.trust), holder.trust.write());
  } catch (error) {
    if (error.name !== "QuotaExceededError" && error.name !== "SecurityError") throw error;
  }
}

async function enter(opener) {
  const found = await Holder.open(opener, here, pinned(), places);
  if (!found) throw new Refused(here, ["wallet.none"]);
  holder = found;
  await holder.follow(here);
  await holder.member(here);
  for (const member of holder.members) await holder.member(member).catch(() => {});
  pin();
  await go("record");
}

/** Go to a view, whether or not it is the one that the address names already. */
async function go(name) {
  if (location.hash === `#${name}`) return route();
  location.hash = name; // what listens to that shows it
}

function start() {
  show(
    t("wallet.title"),
    h("p", {}, t("wallet.lead")),
    h("section", { class: "card" }, h("h2", {}, t("wallet.open_head")), h("p", {}, t("wallet.open_lead")),
      button(t("wallet.open"), async () => enter(await usePasskey()))),
    form(
      async ({ elements }) => enter(Opener.ofSheet(elements.sheet.value)),
      h("h2", {}, t("wallet.sheet_head")), h("p", {}, t("wallet.sheet_lead")),
      field(t("wallet.sheet"), h("input", { name: "sheet", type: "password", autocomplete: "current-password", required: true, spellcheck: "false" }), t("wallet.sheet_hint")),
      h("button", {}, t("wallet.open_sheet")),
    ),
    form(
      ({ elements }) => create(elements.invitation.value, elements.how.value),
      h("h2", {}, t("wallet.new_head")), h("p", {}, t("wallet.new_lead")),
      field(t("wallet.invitation"), h("textarea", { name: "invitation", required: true, rows: "3", spellcheck: "false", autocomplete: "off" }), t("wallet.invitation_hint")),
      h("fieldset", {}, h("legend", {}, t("wallet.how")),
        [["passkey", t("wallet.how_passkey")], ["sheet", t("wallet.how_sheet")]].map(([value, words], at) =>
          h("label", { class: "pick" }, h("input", { type: "radio", name: "how", value, checked: at === 0 }), words))),
      h("button", {}, t("wallet.make")),
    ),
  );
}

async function create(typed, how) {
  const invitation = readInvitation(typed);
  const trust = pinned();
  if (hex(invitation.network) !== hex(trust.network) || invitation.member !== here)
    throw new Refused(here, ["wallet.network"]);
  const sheet = how === "sheet" ? newSheet() : "";
  const opener = sheet ? Opener.ofSheet(sheet) : await makePasskey(t("wallet.passkey_name"));
  const made = new Holder(new Wallet(), trust, places);
  await made.follow(here);
  await made.join(invitation);
  holder = made;
  await keepAll(opener);
  pin();
  if (sheet) return showSheet(sheet);
  await go("keys");
}

async function keepAll(opener) {
  await holder.keep();
  const left = await holder.leave(opener);
  if (!left.length) throw new Unreachable(here);
  return left;
}

// The record

/** Return the own records; with `anew`, asked again where a member did not answer before. */
async function own(anew = false) {
  if (!known || (anew && known.missing.length)) {
    const [found, { factsOf, resourceIn, valuesOf }] = [await holder.records(), await import("./facts.js")];
    const records = found.records.map((one, at) => {
      const resource = one.media.startsWith("application/fhir+json") ? resourceIn(one.body) : undefined;
      const facts = factsOf(resource);
      const values = valuesOf(resource).map(([, written, unit]) => `${written} ${unit}`.trim());
      return { ...one, at, resource, ...facts, label: told[`words.label-${facts.label}`] ?? facts.label, value: values.join(", ") };
    });
    records.sort((a, b) => (a.date < b.date ? 1 : a.date > b.date ? -1 : a.type < b.type ? -1 : 1));
    known = { ...found, records };
    await holder.keep();
  }
  return known;
}

const missed = (missing) => missing.map(([member, error]) => note(t("my.missing", { member: nameOf(member), why: explain(error) }), "warn"));

async function record() {
  const { records, missing } = await own(true);
  const kinds = [...new Set(records.map((one) => one.type))].sort();
  const list = h("div", {});
  const fill = (kind) => {
    const chosen = records.filter((one) => !kind || one.type === kind);
    list.replaceChildren(chosen.length ? table(t("wallet.count", { count: chosen.length }), [
      [t("timeline.date"), (one) => when(one.date), "day"],
      [t("chart.what"), (one) => h("span", {}, h("a", { href: `#record/${one.at}` }, one.label || t("chart.unlabelled")), one.value && ` ${one.value}`)],
      [t("timeline.kind"), (one) => plain(one.type)],
      [t("my.by"), (one) => nameOf(one.writer)],
    ], chosen) : empty(t("my.empty")));
  };
  const chooser = select([["", t("my.all")], ...kinds.map((one) => [one, plain(one)])], "", { change: (event) => fill(event.target.value) });
  fill("");
  show(t("frame.my_record"), h("p", {}, t("my.lead")), missed(missing), field(t("my.kind"), chooser), list);
}

async function measured() {
  const [{ records, missing }, { trends }] = [await own(true), await import("./trends.js")];
  show(t("wallet.trends"), h("p", {}, t("wallet.trends_lead")), missed(missing), trends(records, { t, when }));
}

// Keys, taking along

function showSheet(sheet) {
  show(
    t("wallet.sheet_made"), note(t("wallet.sheet_keep"), "warn"),
    h("p", { class: "sheet mono", id: "sheet" }, sheet),
    h("p", {}, t("wallet.sheet_where", { address: `${location.origin}${location.pathname}` })),
    h("p", {}, h("button", { type: "button", class: "quiet", click: () => print() }, t("wallet.print")), " ", h("a", { class: "button", href: "#keys" }, t("wallet.sheet_done"))),
  );
}

async function keys() {
  show(
    t("wallet.keys"), h("p", {}, t("wallet.keys_lead")),
    h("div", { class: "cards" },
      h("section", { class: "card" }, h("h2", {}, t("wallet.sheet_new_head")), h("p", {}, t("wallet.sheet_new")),
        button(t("wallet.sheet_make"), async () => {
          const sheet = newSheet();
          await keepAll(Opener.ofSheet(sheet));
          showSheet(sheet);
        })),
      h("section", { class: "card" }, h("h2", {}, t("wallet.passkey_head")), h("p", {}, t("wallet.passkey_lead")),
        button(t("wallet.passkey_make"), async () => {
          await keepAll(await makePasskey(t("wallet.passkey_name")));
          status.textContent = t("wallet.passkey_made");
          view.querySelector("#made").hidden = false;
        }), h("p", { id: "made", hidden: true, role: "status" }, t("wallet.passkey_made"))),
      form(
        async ({ elements }) => {
          const invitation = readInvitation(elements.invitation.value);
          if (hex(invitation.network) !== hex(holder.network)) throw new Refused(here, ["wallet.network"]);
          await holder.join(invitation);
          await holder.keep();
          known = null;
          await keys();
        },
        h("h2", {}, t("wallet.join_head")), h("p", {}, t("wallet.joined", { members: holder.members.map(nameOf).join(", ") })),
        field(t("wallet.invitation"), h("textarea", { name: "invitation", required: true, rows: "3", spellcheck: "false", autocomplete: "off" }), t("wallet.invitation_hint")),
        h("button", {}, t("wallet.join")),
      ),
      h("section", { class: "card" }, h("h2", {}, t("wallet.along_head")), h("p", {}, t("wallet.along")),
        button(t("my.export"), async () => {
          const { records, missing } = await own(true);
          view.querySelector("#short").replaceChildren(...missed(missing));
          save("my-record.json", "application/fhir+json", bundle(records));
        }, "quiet"), " ",
        h("a", { class: "button quiet", href: "#summary" }, t("summary.open")), " ", h("a", { class: "button quiet", href: "#link" }, t("link.title")), h("div", { id: "short" })),
    ),
  );
}

/** Return all records as a FHIR Bundle, each resource with the bytes that its writer received. */
function bundle(records) {
  const decoder = new TextDecoder();
  const entries = records.filter((one_) => one_.resource).map((one_) => `{"resource":${decoder.decode(one_.body)}}`);
  return `{"resourceType":"Bundle","type":"collection","entry":[${entries.join(",")}]}`;
}

async function link() {
  const [{ records }, { healthLink }] = [await own(), await import("./link.js")];
  const kinds = [...new Set(records.filter((one_) => one_.resource).map((one_) => one_.type))].sort();
  await healthLink({ t, plain, when, show, field, form, holder, here, records, kinds, bundle, refuse: (code) => new Refused(here, [code]) });
}

/** Show a view that is fetched when it is first asked for. */
const later = (name, fetched = () => import("./later.js")) => async (part) => {
  const views = await fetched();
  await views[name]({ t, plain, when, show, missed, note, empty, button, form, nameOf, holder, own, pin, told, refused, act, go, here }, part);
};

const giving = () => import("./giving.js");

// Where one is

const VIEWS = { record, trends: measured, sharing: later("sharing", giving), share: later("share", giving), looked: later("looked"), requests: later("requests"), keys, summary: later("summary"), link };

async function route() {
  if (!holder) return start();
  const [name, part] = location.hash.slice(1).split("/");
  if (name === "record" && part) return later("entry")(part);
  return (VIEWS[name] ?? record)();
}

let last = Date.now();
for (const name of ["pointerdown", "keydown"]) addEventListener(name, () => { last = Date.now(); });
setInterval(() => { if (holder && Date.now() - last > IDLE) location.reload(); }, 15_000);
addEventListener("hashchange", () => {
  moved = busy;
  act(route);
});
lock.addEventListener("click", () => location.replace(location.pathname));

if (window.PublicKeyCredential && (await knowsEd25519())) {
  root.hidden = false;
  document.querySelector("#without").hidden = true;
  start();
}
