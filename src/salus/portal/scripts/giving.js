/** Who can see, and answering a request: its code typed or photographed, what of it to give, exactly what would be seen, giving it. */

import { Unreadable } from "./bytes.js";
import { field, h, select, table } from "./elements.js";
import { Refused } from "./holder.js";

const DAYS = [1, 7, 30, 90, 365];

async function photo(file) {
  const { default: decodeQR } = await import("./vendor/qr/decode.js");
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, 1600 / Math.max(picture.width, picture.height));
  const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale));
  const drawing = canvas.getContext("2d");
  drawing.drawImage(picture, 0, 0, canvas.width, canvas.height);
  try {
    return decodeQR(drawing.getImageData(0, 0, canvas.width, canvas.height));
  } catch {
    throw new Unreadable("no code in this picture");
  }
}

/** Show where the code of a request goes. */
export function share(page) {
  const { t, show, form, holder, act } = page;
  const code = h("textarea", { name: "code", required: true, rows: "3", spellcheck: "false", autocomplete: "off" });
  const picture = h("input", { type: "file", accept: "image/*", capture: "environment", change: (event) => act(async () => {
    code.value = await photo(event.target.files[0]);
  }) });
  show(
    t("share.title"), h("p", {}, h("a", { href: "#sharing" }, t("share.back"))), h("p", {}, t("share.lead")),
    form(
      async () => choose(page, await holder.readRequest(code.value)),
      field(t("wallet.photo"), picture, t("wallet.photo_hint")), field(t("share.code"), code, t("share.code_hint")),
      h("button", {}, t("share.read")),
    ),
  );
}

function chosenIn({ elements }, here) {
  const all = (name) => [...elements].filter((one) => one.name === name && one.checked).map((one) => one.value);
  const day = (name) => (elements[name].value ? Date.parse(`${elements[name].value}T00:00:00Z`) : 0);
  const chosen = { classes: all("class"), members: all("from"), since: day("since"), until: day("until"), days: Number(elements.days.value) };
  if (!chosen.classes.length || !chosen.members.length)
    throw new Refused(here, ["share.nothing"]);
  return chosen;
}

function choose(page, asked) {
  const { t, plain, when, show, nameOf, holder, act, here } = page;
  const others = holder.members.filter((one) => one !== asked.member);
  const pick = (name, value, words) => h("label", { class: "pick" }, h("input", { type: "checkbox", name, value, checked: true }), words);
  const seen = h("div", {});
  const stale = () => seen.replaceChildren();
  show(
    t("share.asks", { name: asked.name }),
    h("p", {}, h("a", { href: "#share", click: () => share(page) }, t("share.other"))),
    h("dl", {}, [
      [t("access.purpose"), plain(asked.purpose)],
      [t("sharing.who"), asked.roles.map(plain).join(", ") || t("sharing.anyone")],
      [t("share.answer_by"), when(asked.expires)],
    ].map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    h("form", { class: "card", change: stale, submit: (event) => { event.preventDefault(); act(() => preview(page, asked, chosenIn(event.target, here), seen)); } },
      h("fieldset", {}, h("legend", {}, t("share.kinds")), h("div", { class: "picks" }, asked.classes.map((one) => pick("class", one, plain(one))))),
      h("fieldset", {}, h("legend", {}, t("share.from")), h("div", { class: "picks" }, others.map((one) => pick("from", one, nameOf(one))))),
      h("div", { class: "row" },
        field(t("share.since"), h("input", { type: "date", name: "since" })), field(t("share.until"), h("input", { type: "date", name: "until" })),
        field(t("share.days"), select(DAYS.map((one) => [String(one), one === 1 ? t("share.day") : t("share.n_days", { count: one })]), "30", { name: "days" }))),
      h("button", {}, t("share.preview"))),
    seen,
  );
}

async function preview(page, asked, chosen, place) {
  const { t, plain, when, note, empty, button, nameOf, holder, own, go } = page;
  const { lines, more } = await holder.preview(asked, chosen);
  const labels = new Map((await own()).records.map((one) => [`${one.writer} ${one.type}/${one.id}`, one]));
  const rows = lines.map((line) => ({ ...line, record: labels.get(`${line.member} ${line.type}/${line.id}`) }));
  const head = h("h2", { tabindex: "-1" }, t("share.seen"));
  place.replaceChildren(
    head,
    rows.length ? table(t("share.seen_count", { count: rows.length }), [
      [t("timeline.date"), (row) => when(row.record?.date), "day"],
      [t("chart.what"), (row) => row.record?.label || t("chart.unlabelled")],
      [t("timeline.kind"), (row) => plain(row.type)], [t("my.by"), (row) => nameOf(row.member)],
    ], rows) : empty(t("share.seen_none")),
    more ? h("p", { class: "soft" }, t("share.more")) : "",
    note(t("share.later")),
    button(t("share.give", { name: asked.name }), async () => {
      await holder.give(asked, chosen);
      await go("sharing");
    }),
  );
  head.focus();
}

/** Show who can see, and who no longer can. */
export async function sharing(page) {
  const { t, plain, when, show, note, empty, button, nameOf, holder } = page;
  const all = await holder.wallet.permissions();
  for (const { grantee } of all) if (grantee && !holder.names[grantee]) await holder.member(grantee).catch(() => {});
  const now = Date.now();
  const live = all.filter((one) => one.grantee && !one.revoked && now < one.expiry);
  const past = all.filter((one) => one.grantee && !live.includes(one));
  show(
    t("frame.my_sharing"), h("p", {}, t("sharing.lead")), h("p", {}, h("a", { class: "button", href: "#share" }, t("share.open"))),
    live.length ? [
      h("div", { class: "cards" }, live.map((permission) => h("section", { class: "card" },
        h("h2", {}, nameOf(permission.grantee)),
        h("dl", {}, [
          [t("sharing.since"), when(permission.notBefore)], [t("sharing.until"), when(permission.expiry)],
          [t("access.purpose"), permission.purposes.map(plain).join(", ")],
          [t("sharing.opens"), permission.classes.map(plain).join(", ")],
          [t("sharing.who"), permission.roles.map(plain).join(", ") || t("sharing.anyone")],
          [t("sharing.from"), permission.members.map(nameOf).join(", ")],
        ].map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
        button(t("sharing.stop", { member: nameOf(permission.grantee) }), async () => {
          await holder.stop(permission);
          await sharing(page);
        }, "stop")))),
      note(t("sharing.unread")),
    ] : empty(t("sharing.empty")),
    past.length > 0 && [h("h2", {}, t("sharing.past")), table("", [
      [t("sharing.member"), (each) => nameOf(each.grantee)],
      [t("sharing.until"), (each) => when(each.expiry), "day"],
      [t("chart.status"), (each) => plain(each.revoked ? "stopped" : "ended")],
    ], past)],
  );
}
