/** The scan page: takes what a scanner types, asks the node one scan after another, and keeps them while the line is down. */

const KEY = "salus-scans";
const RETRY_MS = 4_000;
const MOST = 500; // scans that wait; a dock scans some hundred an hour
const SHOWN = 50;
const GROUP = "\u001d"; // FNC1 between elements
const TONES = { good: [[880, 0.12]], wait: [[440, 0.18], [440, 0.18]], stop: [[220, 0.3], [180, 0.5]] };

const form = document.querySelector("#scan");
const input = form.querySelector("#what");
const sound = form.querySelector("#sound");
const output = document.querySelector("#verdict");
const waiting = document.querySelector("#waiting");
const list = document.querySelector("#list");
const told = JSON.parse(form.dataset.texts);
const queue = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
let audio = null;
let busy = false;
let timer = 0;

function keep() {
  sessionStorage.setItem(KEY, JSON.stringify(queue));
  waiting.textContent = queue.length ? told.waiting.replace("{count}", String(queue.length)) : "";
}

/** Play the verdict: one high tone, two middle ones, or two low ones. */
function play(kind) {
  if (!sound.checked) return;
  audio ??= new AudioContext();
  let at = audio.currentTime;
  for (const [hertz, seconds] of TONES[kind]) {
    const tone = audio.createOscillator();
    tone.frequency.value = hertz;
    tone.connect(audio.destination);
    tone.start(at);
    tone.stop(at + seconds);
    at += seconds + 0.06;
  }
}

function line(tag, text, kind = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function show(verdict) {
  const card = line("section", "", `note ${verdict.kind}`);
  card.append(line("h2", told[verdict.kind]), line("p", verdict.why), line("p", verdict.label, "mono"));
  output.replaceChildren(card);
  document.querySelector("#done").hidden = false;
  list.prepend(line("li", `${told[verdict.kind]}: ${verdict.why} ${verdict.label}`));
  while (list.children.length > SHOWN) list.lastElementChild.remove();
  play(verdict.kind);
}

/** Ask about the oldest scan; return whether it is settled. A node that is away, or that cannot ask the maker, settles nothing. */
async function ask(scan) {
  const body = new URLSearchParams({ form: form.elements.form.value, what: scan });
  try {
    const answer = await fetch("/scan", { method: "POST", body, headers: { accept: "application/json" } });
    if (answer.ok && answer.headers.get("content-type") === "application/json") {
      show(await answer.json());
      return true;
    }
    if (answer.status >= 500) return false;
    show({ kind: "stop", why: told.signed_out, label: scan });
    return true;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // what fetch says when there is no line
    return false;
  }
}

async function work() {
  if (busy) return;
  busy = true;
  clearTimeout(timer);
  try {
    while (queue.length) {
      if (!(await ask(queue[0]))) {
        timer = setTimeout(work, RETRY_MS);
        break;
      }
      queue.shift();
      keep();
    }
  } finally {
    busy = false;
    keep();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const scan = input.value.trim();
  input.value = "";
  input.focus();
  if (!scan) return;
  if (queue.length >= MOST) {
    show({ kind: "stop", why: told.full, label: scan });
    return;
  }
  queue.push(scan);
  keep();
  work();
});

// Scanners that type send FNC1 as Ctrl+] or F8; a browser would drop both.
input.addEventListener("keydown", (event) => {
  if (event.key === "F8" || (event.ctrlKey && event.key === "]")) {
    event.preventDefault();
    input.setRangeText(GROUP, input.selectionStart, input.selectionEnd, "end");
  }
});

addEventListener("online", work);
sound.closest("label").hidden = false;
input.focus(); // autofocus waits for the first frame: a scanner may not
keep();
work();
