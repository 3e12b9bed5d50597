/** Elements of a page, made of text alone: nothing that a record says becomes markup. */

const SVG = "http://www.w3.org/2000/svg";

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children.flat(3).filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

/** Return an element with attributes, listeners and children. */
export const h = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);
/** Return an SVG element. */
export const g = (tag, attributes = {}, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

/** Return a table that becomes cards on a narrow screen: columns are [name, cell of a row, class]. */
export function table(caption, columns, rows) {
  return h("table", {},
    caption && h("caption", {}, caption),
    h("thead", {}, h("tr", {}, columns.map(([name]) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, rows.map((row) => h("tr", {},
      columns.map(([name, cell, kind], at) => h("td", { class: kind, "data-name": at > 1 || (at && kind === "day") ? name : undefined }, cell(row)))))));
}

/** Return a labelled field. */
export function field(label, input, hint = "") {
  input.id ||= `f${Math.random().toString(36).slice(2)}`;
  return h("div", { class: "field" }, h("label", { for: input.id }, label, hint && h("small", {}, hint)), input);
}

/** Return a select with [value, words] options. */
export const select = (options, chosen, attributes = {}) =>
  h("select", attributes, options.map(([value, words]) => h("option", { value, selected: value === chosen }, words)));

/** Save a file from the page: nothing of it is sent. */
export function save(name, media, body) {
  const place = URL.createObjectURL(new Blob([body], { type: media }));
  const link = h("a", { href: place, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(place), 60_000);
}

/** Return rows as CSV (RFC 4180); a cell that a spreadsheet would run as a formula is quoted as text. */
export function csv(rows) {
  const cell = (value) => {
    const told = /^[=+\-@\t\r]/.test(String(value)) ? `'${value}` : String(value);
    return /[",\r\n]/.test(told) ? `"${told.replaceAll('"', '""')}"` : told;
  };
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}
