// What the page says of figures, as words.go does where there are no scripts.

export const short = (id) => (id || "").slice(0, 4);

// span says a time in seconds in the two largest of its units.
export function span(seconds) {
  const t = Math.max(0, Math.floor(seconds));
  const h = Math.floor(t / 3600), m = Math.floor(t / 60) % 60, s = t % 60;
  if (h >= 48) return `${Math.floor(h / 24)} d ${h % 24} h`;
  if (h > 0) return `${h} h ${m} min`;
  if (m > 0) return `${m} min ${s} s`;
  return `${s} s`;
}

// percent is how many of all; what is not all is not called 100.
export function percent(n, all) {
  if (!all) return "–";
  if (n < all && n / all > 0.99) return "99 %";
  return `${Math.round((100 * n) / all)} %`;
}

// took is a server's time to answer, of which there is none before it has.
export const took = (f) => (f ? ms(f) : "-");

// doubted is a member that the own servers have contradicted too often to ask it.
export const doubted = (m) => !m.self && m.trust !== undefined && m.trust < 0.5;

export const ms = (f) => `${(f || 0).toFixed(1)} ms`;

// clock is the time of day of a moment in milliseconds since 1970.
export const clock = (at) => new Date(at).toTimeString().slice(0, 8);

// groups are what carries answers, as the page shows it, in the order of its bars.
export const groups = ["fresh", "stale", "peer", "root", "failed"];

const byGroup = {
  cache: "fresh", upstream: "fresh", stale: "stale", owner: "peer", helper: "peer", any: "peer", root: "root", nobody: "failed",
};

export const groupOf = (by) => byGroup[by] || "failed";

const carriers = {
  cache: "from its cache", upstream: "from a name server", stale: "from its cache, past its time", owner: "from an owner of the name",
  helper: "through a member whose servers answer", any: "from a member that heard the call to all", root: "from the root", nobody: "with a failure",
};

// sentence says what an event was.
export function sentence(e) {
  const from = short(e.from), to = short(e.to), of = e.name ? ` (${e.name})` : "";
  switch (e.kind) {
    case "answer": return `${from} answered a client ${carriers[e.by] || e.by || ""} in ${ms(e.ms)}${of}`;
    case "ask": return `${from} asked ${to}${of}`;
    case "reply": return `${from} answered ${to}${of}${e.text ? ": " + e.text : ""}`;
    case "put": return `${from} gave answers to ${to}${of}`;
    case "any": return `${from} asked all${of}`;
    case "hello": return `${from} said hello`;
    case "join": return `${from} came`;
    case "leave": return `${from} left${e.text ? ": " + e.text : ""}`;
    case "upstream": return e.text.startsWith("server") ? `${from}, ${e.text}` : `name servers of ${from} are ${e.text}`;
    case "told": return `${from} told ${to} what it keeps${of}`;
    case "kept": return `${from} kept what ${to} gave${of}`;
    case "refused": return `${from} refused what ${to} said${of}: ${e.text}`;
    case "audit": return `${from} asked a server whether ${to} was right${of}: ${e.text}`;
    case "mark": return e.text || "mark";
  }
  return `${from} ${e.kind}: ${e.text || ""}${of}`;
}

// make creates an element with text, and never with markup: names come from others.
export function make(tag, text, attributes) {
  const el = document.createElement(tag);
  if (text !== undefined) el.textContent = text;
  for (const [k, v] of Object.entries(attributes || {})) el.setAttribute(k, v);
  return el;
}

export function makeSVG(tag, attributes) {
  const el = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [k, v] of Object.entries(attributes || {})) el.setAttribute(k, v);
  return el;
}
