/** The drop zone for receipts: a file is read and judged here, and goes nowhere. */

import { hex, Unreadable } from "./bytes.js";
import { knowsEd25519 } from "./digest.js";
import { Malformed, pathIn, receiptIn, Trust, Unproven } from "./proof.js";

const MAX_FILE = 256 * 1024;
const WHY = { holds: "holds_why", unwitnessed: "unwitnessed_why", fails: "fails_why", unreadable: "unreadable_why" };
const zone = document.querySelector("#receipts");
const told = JSON.parse(zone.dataset.texts);
const own = zone.querySelector("#trust");
const output = zone.querySelector("[role=status]");

/** Return the consistency path that carries an older receipt to the pinned size; this node may give it, nobody need trust it. */
async function pathTo(trust, size) {
  if (size >= trust.size) return null;
  const answer = await fetch(`/ledger/path?old=${size}&new=${trust.size}`);
  return answer.ok ? pathIn(new Uint8Array(await answer.arrayBuffer())) : null;
}

/** Return the verdict on a file: its key among the texts, and what it says. */
async function judged(file) {
  const chosen = own.files[0];
  const trust = Trust.read(chosen ? await chosen.text() : zone.dataset.trust);
  if (file.size > MAX_FILE) throw new Malformed("too large");
  const receipt = receiptIn(new Uint8Array(await file.arrayBuffer()));
  let verdict = "holds";
  try {
    await trust.accept(receipt, await pathTo(trust, receipt.checkpoint.size));
  } catch (error) {
    if (error.kind !== "Unwitnessed") throw error;
    verdict = "unwitnessed";
  }
  const { leaf, checkpoint, index } = receipt;
  const facts = leaf.txId
    ? [["transaction", hex(leaf.txId)], ["result", leaf.code ? String(leaf.code) : told.applied]]
    : [["height", String(leaf.height)]];
  return [verdict, [...facts, ["index", String(index)], ["size", String(checkpoint.size)], ["issued", new Date(checkpoint.issued * 1000).toISOString()]]];
}

function line(tag, text, kind = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

let turn = 0; // the newest file is what is judged: the verdict on one before it is not shown any more

async function show(file) {
  const mine = (turn += 1);
  output.replaceChildren();
  let verdict, facts = [], why = "";
  try {
    [verdict, facts] = await judged(file);
  } catch (error) {
    if (!(error instanceof Malformed || error instanceof Unproven || error instanceof Unreadable)) throw error;
    verdict = error instanceof Unproven ? "fails" : "unreadable";
    why = error.message;
  }
  if (mine !== turn) return;
  const card = line("section", "", `note${{ holds: "", unwitnessed: " warn" }[verdict] ?? " stop"}`);
  card.append(line("h2", told[verdict]), line("p", `${file.name}: ${told[WHY[verdict]]}`));
  if (why) card.append(line("p", why, "mono"));
  const list = document.createElement("dl");
  for (const [name, value] of facts) list.append(line("dt", told[name]), line("dd", value, "mono"));
  if (facts.length) card.append(list);
  output.replaceChildren(card);
}

async function take(files) {
  if (files[0]) await show(files[0]);
}

if (await knowsEd25519()) {
  zone.hidden = false;
  document.querySelector("#without").hidden = true;
  zone.querySelector("#receipt").addEventListener("change", (event) => take(event.target.files));
  own.addEventListener("change", () => take(zone.querySelector("#receipt").files));
  for (const name of ["dragover", "drop"])
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      if (name === "drop") take(event.dataTransfer.files);
    });
}
