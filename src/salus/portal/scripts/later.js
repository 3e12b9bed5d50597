/** Views of the wallet that nobody sees first: one entry, who has looked, what was asked to be put right or erased, what counts. */

import { csv, field, h, save, select, table } from "./elements.js";
import { exported } from "./holder.js";

const STANDING = ["AllergyIntolerance", "Condition", "MedicationRequest", "Immunization", "Procedure"];

/** Return what was read, `Condition 2`, with its kind in words. */
const counted = ({ plain }, what) => what
  .replace(/^reason (\S+)$/, (_, why) => plain(why)) // why an emergency access was opened
  .replace(/^(\S+) (\d+)$/, (_, kind, count) => `${plain(kind)}: ${count}`);

/** Show who has looked, over all members, with filters and files to take away. */
export async function looked(page) {
  const { t, plain, when, show, empty, button, nameOf, holder, pin, told, refused } = page;
  const { lines, gaps } = await holder.accessLog();
  await holder.keep();
  pin();
  const all = lines.reverse();
  const members = [...new Set(all.map((one) => one.member))].sort();
  const purposes = [...new Set(all.map((one) => one.purpose))].sort();
  const list = h("div", {});
  let shown = [];
  const filter = h("form", { class: "row", change: () => fill(), submit: (event) => event.preventDefault() },
    field(t("looked.by"), select([["", t("looked.everyone")], ...members.map((one) => [one, nameOf(one)])], "", { name: "by" })),
    field(t("looked.why"), select([["", t("looked.all")], ...purposes.map((one) => [one, plain(one)])], "", { name: "why" })),
    field(t("timeline.since"), h("input", { type: "date", name: "since" })), field(t("timeline.until"), h("input", { type: "date", name: "until" })),
    h("label", { class: "pick field" }, h("input", { type: "checkbox", name: "own" }), t("looked.own")));
  const chip = (words, kind = "") => h("span", { class: `chip ${kind}` }, words);
  function fill() {
    const { by, why, since, until, own: mine } = filter.elements;
    shown = all.filter((one) => {
      const day = new Date(one.time).toISOString().slice(0, 10);
      const fits = (!by.value || one.member === by.value) && (!why.value || one.purpose === why.value);
      return fits && (!since.value || day >= since.value) && (!until.value || day < until.value) && (mine.checked || one.purpose !== "PATRQT");
    });
    list.replaceChildren(shown.length ? table(t("looked.caption", { count: shown.length, total: all.length }), [
      [t("looked.when"), (one) => when(one.time), "day"],
      [t("looked.who"), (one) => [nameOf(one.member), h("br"), h("small", {}, [one.person || t("looked.program"), one.role && plain(one.role)].filter(Boolean).join(", "))]],
      [t("looked.what"), (one) => [plain(one.action), ", ", one.purpose === "ETREAT" ? chip(plain(one.purpose), "stop") : plain(one.purpose), h("br"), h("small", {}, one.what.map((what) => counted(page, what)).join(", ") || t("looked.nothing"))]],
      [t("looked.told"), (one) => nameOf(one.toldBy)],
      [t("looked.proof"), (one) => one.txId && one.proven ? h("a", { href: `/ledger/transactions/${one.txId}` }, t("looked.proven")) : chip(t("looked.waiting"), "warn")],
    ], shown) : empty(t("looked.empty")));
  }
  fill();
  show(
    t("frame.my_looked"), h("p", {}, t("looked.lead")),
    gaps.map((gap) => h("p", {}, chip(told[`gap.${gap.code}`]
      ? t("looked.gap", { member: nameOf(gap.member), what: told[`gap.${gap.code}`] })
      : t("my.missing", { member: nameOf(gap.member), why: refused(gap) }), "warn"))),
    filter, list,
    button(t("looked.csv"), async () => save("who-has-looked.csv", "text/csv", csv([
      ["time", "member", "person", "role", "purpose", "action", "what", "told_by", "proven", "transaction"],
      ...shown.map((one) => [new Date(one.time).toISOString(), one.member, one.person, one.role, one.purpose, one.action, one.what.join(" "), one.toldBy, one.proven, one.txId]),
    ])), "quiet"), " ",
    button(t("wallet.proofs"), async () => save("access-log.json", "application/json", exported(shown)), "quiet"),
  );
}

/** Show one entry of the record in plain words, with the original behind it. */
export async function entry(page, at) {
  const { t, plain, when, show, form, nameOf, holder, own, go } = page;
  const found = (await own()).records.find((each) => each.at === Number(at));
  if (!found) return go("record");
  const [{ valuesOf }, { explained }] = [await import("./facts.js"), await import("./benefits.js")];
  const values = valuesOf(found.resource);
  show(
    found.label || t("chart.unlabelled"),
    h("p", {}, h("a", { href: "#record" }, t("my.back"))),
    explained(found.resource, page),
    h("dl", {}, [
      [t("timeline.kind"), plain(found.type)], [t("timeline.date"), when(found.date) || t("my.no_date")],
      [t("chart.status"), found.status && plain(found.status)],
      ...values.map(([what, written, unit]) => [values.length > 1 ? what : t("my.value"), `${written} ${unit}`.trim()]),
      [t("my.by"), nameOf(found.writer)],
    ].filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    h("p", {}, t("my.checked")),
    form(
      async ({ elements }) => {
        await holder.correct(found, elements.text.value);
        await go("requests");
      },
      h("h2", {}, t("correct.head")), h("p", {}, t("correct.effect", { member: nameOf(found.writer) })),
      field(t("correct.text"), h("textarea", { name: "text", required: true, maxlength: "4000", rows: "4" })),
      h("button", {}, t("correct.ask", { member: nameOf(found.writer) })),
    ),
    h("details", {}, h("summary", {}, t("my.original")), h("pre", { tabindex: "0" }, new TextDecoder().decode(found.body))),
  );
}

/** Return how far an erasure has come at a member, in words; null where none is under way. */
function underWay({ t, plain, when, nameOf }, member, { status, opened, earliest, due, reason, duty, until }) {
  if (status === "requested") return [t("erase.asked_on", { time: when(opened) }), t("erase.from_day", { time: when(earliest) })];
  if (status !== "retained") return null;
  if (!duty) return [t("erase.stays", { member: nameOf(member) }), t("erase.why", { why: plain(reason) }), t("erase.again", { time: when(due) })];
  return [t("erase.stays", { member: nameOf(member) }), t("erase.duty", { duty }), until ? t("erase.duty_until", { time: when(until) }) : t("erase.duty_open")];
}

/** Show what was asked to be put right or erased, and what became of it. */
export async function requests(page) {
  const { t, plain, when, show, missed, note, empty, button, nameOf, holder } = page;
  const { corrections, erasures, missing } = await holder.wishes();
  show(
    t("frame.my_requests"), missed(missing), h("h2", {}, t("correct.title")), h("p", {}, t("correct.lead")),
    corrections.length ? h("div", { class: "cards" }, corrections.map((each) => h("section", { class: "card" },
      h("h3", {}, `${plain(each.type)}, ${nameOf(each.member)}`), h("p", {}, each.text),
      h("p", { class: "soft" }, t("correct.made", { time: when(each.made) }), " ", each.outcome ? "" : t("correct.due", { time: when(each.due) })),
      h("p", {}, h("span", { class: "chip" }, each.outcome ? plain(each.outcome) : t("correct.waiting")), " ", each.reason)))) : empty(t("correct.empty")),
    h("h2", {}, t("erase.title")), h("p", {}, t("erase.lead")),
    note(t("erase.wait"), "warn"), h("p", {}, t("erase.law")), h("p", {}, t("erase.elsewhere")),
    h("div", { class: "cards" }, erasures.map((each) => h("section", { class: "card" }, h("h3", {}, nameOf(each.member)),
      underWay(page, each.member, each)?.map((words) => h("p", {}, words)) ?? [
        each.status === "cancelled" && h("p", {}, t("erase.cancelled", { time: when(each.opened) })),
        h("details", {}, h("summary", {}, t("erase.sure", { member: nameOf(each.member) })),
          button(t("erase.ask", { member: nameOf(each.member) }), async () => {
            await holder.erase(each.member).catch((error) => {
              if (error.code !== "erasure.open") throw error; // else it was asked for before, and its answer was lost
            });
            await requests(page);
          }, "stop")),
      ]))),
  );
}

/** Return of what is written several times, with one status and by one member, the newest entry and how often. */
function once(records) {
  const found = new Map();
  for (const one of records) {
    const name = one.label ? `${one.label.toLowerCase()} | ${one.status} | ${one.writer}` : `${one.writer} | ${one.id}`;
    found.set(name, { ...(found.get(name) ?? one), count: (found.get(name)?.count ?? 0) + 1 });
  }
  return [...found.values()];
}

/** Show what counts, to be printed. */
export async function summary({ t, plain, when, show, missed, own }) {
  const [{ records, missing }, { valuesOf }] = [await own(true), await import("./facts.js")];
  const measured = (one) => valuesOf(one.resource).map(([, written, unit]) => `${written} ${unit}`.trim()).join(", ");
  const results = records.filter((one) => one.type === "Observation").slice(0, 20);
  const line = (one) => h("li", {}, one.label || t("chart.unlabelled"), measured(one) && `: ${measured(one)}`, one.count > 1 ? `, ${t("my.times", { count: one.count, time: when(one.date) || t("my.no_date") })}` : one.date ? `, ${when(one.date)}` : "", one.status ? ` (${plain(one.status)})` : "");
  show(
    t("summary.title"), h("p", {}, t("summary.made", { time: when(Date.now()) }), " ", t("summary.print")), missed(missing),
    [...STANDING, null].map((kind) => {
      const chosen = kind ? once(records.filter((one) => one.type === kind)) : results;
      return [h("h2", {}, kind ? plain(kind) : t("summary.results")), chosen.length ? h("ul", {}, chosen.map(line)) : h("p", { class: "soft" }, t("summary.none"))];
    }),
    h("p", {}, h("button", { type: "button", class: "quiet", click: () => print() }, t("wallet.print"))),
  );
}
