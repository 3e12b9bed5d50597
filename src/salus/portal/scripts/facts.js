/** What a FHIR resource says, in the few words that a page shows beside the original. */

import { text } from "./bytes.js";

const DATES = [
  "effectiveDateTime", "effectiveInstant", "performedDateTime", "occurrenceDateTime", "onsetDateTime", "servicedDate",
  "started", "start", "startDate", "authoredOn", "authored", "date", "recordedDate", "issued", "created", "recorded",
];
const PERIODS = ["effectivePeriod", "performedPeriod", "onsetPeriod", "servicedPeriod", "billablePeriod", "period"];
const LABELS = [
  "code", "vaccineCode", "medicationCodeableConcept", "title", "name", "description", "type", "serviceType", "category",
  "deviceName", "class",
];

/** Return the resource in a record's body; numbers as they were written. Undefined for what is no JSON. */
export function resourceIn(body) {
  try {
    return JSON.parse(text(body), (_, value, context) => (typeof value === "number" ? context?.source ?? String(value) : value));
  } catch {
    return undefined;
  }
}

// What SNOMED CT ends its full names with: `Asthma (disorder)`.
const TAG = / \((?:disorder|finding|procedure|regime\/therapy|situation|event|observable entity|qualifier value|substance|organism|product|person)\)$/;

function worded(value) {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return worded(value[0]);
  if (!value || typeof value !== "object") return "";
  const person = [value.given, value.family].flat().filter(Boolean).join(" ");
  return value.text || worded(value.coding?.[0]?.display) || value.display || person || value.coding?.[0]?.code || value.code || "";
}

/** Return date, label and status of a resource; empty where it does not say. */
export function factsOf(resource) {
  if (!resource) return { date: "", label: "", status: "" };
  const date = DATES.map((name) => resource[name]).find(Boolean) ?? PERIODS.map((name) => resource[name]?.start).find(Boolean) ?? "";
  const label = LABELS.map((name) => worded(resource[name])).find(Boolean) ?? "";
  const status = worded(resource.clinicalStatus) || (typeof resource.status === "string" ? resource.status : "");
  return { date: String(date).slice(0, 10), label: label.replace(TAG, ""), status };
}

const quantity = (value) => value && value.value !== undefined && [String(value.value), value.unit ?? value.code ?? ""];

/** Return what an observation measures: [what, value as written, unit]. */
export function valuesOf(resource) {
  if (resource?.resourceType !== "Observation") return [];
  const found = [resource, ...(resource.component ?? [])].map((one) => {
    const [value, unit] = quantity(one.valueQuantity) || [];
    return value === undefined ? null : [worded(one.code), value, unit];
  });
  return found.filter(Boolean);
}
