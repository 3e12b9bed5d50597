/** Measurements over time: a line as inline SVG, and the table that says the same. */

import { g, h, table } from "./elements.js";
import { valuesOf } from "./facts.js";

const [WIDE, HIGH, EDGE] = [640, 160, 12];

function picture(points, words) {
  const values = points.map((one) => one.value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [points[0].time, points.at(-1).time];
  const across = (time) => EDGE + ((time - first) / (last - first || 1)) * (WIDE - 2 * EDGE);
  const up = (value) => HIGH - EDGE - ((value - low) / (high - low || 1)) * (HIGH - 2 * EDGE);
  const at = points.map((one) => [across(one.time).toFixed(1), up(one.value).toFixed(1)]);
  return g("svg", { class: "trend", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": words },
    g("line", { x1: EDGE, x2: WIDE - EDGE, y1: HIGH - EDGE, y2: HIGH - EDGE }),
    g("polyline", { points: at.map((one) => one.join(",")).join(" ") }),
    at.map(([x, y]) => g("circle", { cx: x, cy: y, r: 4 })));
}

/** Return a section for each thing that was measured. */
export function trends(records, { t, when }) {
  const groups = new Map();
  for (const record of records)
    for (const [what, written, unit] of valuesOf(record.resource)) {
      const [name, value, time] = [`${what} ${unit}`, Number(written), Date.parse(record.date)];
      if (!Number.isFinite(value) || !Number.isFinite(time)) continue;
      if (!groups.has(name)) groups.set(name, { what, unit, points: [] });
      groups.get(name).points.push({ written, value, time, date: record.date, at: record.at });
    }
  if (!groups.size) return h("p", { class: "empty" }, t("results.empty"));
  return [...groups.values()].sort((a, b) => (a.what < b.what ? -1 : 1)).map(({ what, unit, points }) => {
    points.sort((a, b) => a.time - b.time);
    const least = points.reduce((a, b) => (b.value < a.value ? b : a));
    const most = points.reduce((a, b) => (b.value > a.value ? b : a));
    const range = { low: least.written, high: most.written, unit };
    const newest = [...points].reverse();
    return h("section", { class: "card" }, h("h2", {}, what || t("chart.unlabelled")),
      points.length > 1 && h("figure", {}, picture(points, t("measure.picture", range)),
        h("figcaption", {}, h("span", {}, when(points[0].date)), h("span", {}, t("measure.range", range)), h("span", {}, when(points.at(-1).date)))),
      table(t("measure.caption", { count: points.length }), [
        [t("timeline.date"), (one) => when(one.date), "day"],
        [t("measure.value"), (one) => h("a", { href: `#record/${one.at}` }, `${one.written} ${unit}`)],
      ], newest));
  });
}
