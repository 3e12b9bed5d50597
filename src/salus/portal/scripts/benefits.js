/** An ExplanationOfBenefit in plain words: who billed, who decided, what is paid, what is left, and why. */

import { h, table } from "./elements.js";

const codeOf = (concept) => concept?.coding?.[0]?.code ?? "";
const listed = (value) => (Array.isArray(value) ? value : []);
const amountsOf = (told) => Object.fromEntries(listed(told).filter((one) => one.amount).map((one) => [codeOf(one.category), one.amount]));

/** Return the part of a page that explains a bill; nothing for any other record. `t`, `when` and `told` are the page's. */
export function explained(resource, { t, when, told }) {
  if (resource?.resourceType !== "ExplanationOfBenefit") return [];
  const money = (amount) => amount?.value !== undefined && new Intl.NumberFormat(
    document.documentElement.lang, /^[A-Z]{3}$/.test(amount.currency) ? { style: "currency", currency: amount.currency } : {},
  ).format(amount.value);
  const cancelled = resource.status === "cancelled";
  const outcome = cancelled ? "cancelled" : resource.disposition;
  const words = { paid: t("eob.paid"), denied: t("eob.denied"), cancelled: t("eob.cancelled") }[outcome];
  const totals = amountsOf(resource.total);
  const facts = [
    [t("eob.provider"), resource.provider?.display], [t("eob.payer"), resource.insurer?.display], [t("eob.outcome"), words],
    [t("eob.billed"), money(totals.submitted)],
    [t("eob.pays"), !cancelled && money(resource.payment?.amount)],
    [t("eob.yours"), !cancelled && money(totals.memberliability) && h("strong", {}, money(totals.memberliability))],
  ].filter(([, value]) => value);
  const taken = (item) => listed(item.adjudication).filter((one) => codeOf(one.category) === "denialreason");
  const why = (one) => told[`carc.${codeOf(one.reason)}`] ?? one.reason?.text ?? codeOf(one.reason);
  const lines = listed(resource.item).map((item) => ({ item, ...amountsOf(item.adjudication) }));
  return [
    h("section", { class: "card" }, h("h2", {}, t("eob.head")), h("dl", {}, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))),
    !cancelled && lines.length && table(t("eob.services"), [
      [t("eob.what"), ({ item }) => item.productOrService?.text ?? item.productOrService?.coding?.[0]?.display ?? codeOf(item.productOrService)],
      [t("timeline.date"), ({ item }) => when(item.servicedDate ?? item.servicedPeriod?.start), "day"],
      [t("eob.billed"), ({ submitted }) => money(submitted) || ""],
      [t("eob.pays"), ({ paidtoprovider }) => money(paidtoprovider) || ""],
      [t("eob.yours"), ({ memberliability }) => money(memberliability) || ""],
      [t("eob.why"), ({ item }) => taken(item).map((one) => h("div", {}, [money(one.amount), why(one)].filter(Boolean).join(": ")))],
    ], lines),
    !cancelled && listed(resource.identifier).some((one) => one.system?.startsWith("urn:payer:")) &&
      h("div", { class: "note" }, h("p", {}, t("eob.object"))),
  ].filter(Boolean);
}
