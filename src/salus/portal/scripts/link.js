/** SMART Health Links: the file is sealed here, and the key is in the link alone. */

import { base64url, hex, random, utf8 } from "./bytes.js";
import { g, h, select } from "./elements.js";

const DAY = 24 * 3600 * 1000;

async function packed(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Return a JWE in compact form (RFC 7516): `dir`, `A256GCM`, packed. */
export async function sealedFile(content, key) {
  const header = base64url(utf8(JSON.stringify({ alg: "dir", enc: "A256GCM", zip: "DEF", cty: "application/fhir+json" })));
  const iv = random(12);
  const own = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const sealed = new Uint8Array(
    await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: utf8(header) }, own, await packed(utf8(content))),
  );
  return [header, "", base64url(iv), base64url(sealed.slice(0, -16)), base64url(sealed.slice(-16))].join(".");
}

/** Return a QR code as SVG. */
export async function qr(text, words) {
  const { default: encodeQR } = await import("./vendor/qr/index.js");
  const rows = encodeQR(text, "raw", { ecc: "low", border: 2 });
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return h("div", { class: "code" },
    g("svg", { viewBox: `0 0 ${rows.length} ${rows.length}`, role: "img", "aria-label": words }, g("path", { d: path, fill: "#000" })));
}

/** Show what can be shared by a link, make it, and end those that hold. */
export async function healthLink(page) {
  const { t, plain, when, show, field, form, holder, here, records, kinds, bundle, refuse } = page;
  const [links] = await holder.instruct(here, "health-links", []);
  const again = () => healthLink(page);
  show(
    t("link.title"), h("p", {}, h("a", { href: "#keys" }, t("link.back"))), h("p", {}, t("link.lead")),
    form(
      async ({ elements }) => {
        const chosen = new Set([...elements].filter((one) => one.name === "kind" && one.checked).map((one) => one.value));
        const shared = records.filter((one) => one.resource && chosen.has(one.type));
        if (!shared.length) throw refuse("link.nothing");
        const [id, key, ends] = [random(32), random(32), Date.now() + Number(elements.days.value) * DAY];
        await holder.instruct(here, "health-link", [id, ends, utf8(await sealedFile(bundle(shared), key))]);
        const told = { url: `${location.origin}/health-links/${base64url(id)}`, flag: "U", key: base64url(key), exp: Math.floor(ends / 1000) };
        const link = `shlink:/${base64url(utf8(JSON.stringify(told)))}`;
        show(
          t("link.made"), h("p", {}, t("link.made_lead", { count: shared.length, time: when(ends) })),
          await qr(link, t("link.picture")), h("pre", { tabindex: "0", id: "shlink" }, link),
          h("p", {}, h("a", { class: "button quiet", href: "#link", click: again }, t("link.back_to"))),
        );
      },
      h("fieldset", {}, h("legend", {}, t("share.kinds")), h("div", { class: "picks" }, kinds.map((one) =>
        h("label", { class: "pick" }, h("input", { type: "checkbox", name: "kind", value: one, checked: true }), plain(one))))),
      field(t("share.days"), select([1, 7, 30, 90].map((one) => [String(one), one === 1 ? t("share.day") : t("share.n_days", { count: one })]), "7", { name: "days" })),
      h("button", {}, t("link.make")),
    ),
    h("h2", {}, t("link.held")),
    links.length ? links.map(([id, ends, fetched]) => form(
      async () => {
        await holder.instruct(here, "end-health-link", [id]);
        await again();
      },
      h("p", {}, t("link.line", { name: hex(id).slice(0, 8), time: when(ends), count: fetched })),
      h("button", { class: "stop" }, t("link.end")),
    )) : h("p", { class: "empty" }, t("link.none")),
  );
}
