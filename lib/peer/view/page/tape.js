// A tape is a list of events in the order of time, and what follows from it for a moment.
import { groupOf } from "./words.js";

// states are those of name servers, the best first: a node is as its best server is.
const states = ["healthy", "probation", "suspect", "captive", "down"];

// most is how many events a tape keeps; the oldest go first.
const most = 200000;

export class Tape {
  constructor() {
    this.events = [];
    this.self = ""; // whose tape it is: clients are answered by the node itself
  }

  get begin() { return this.events.length ? this.events[0].at : 0; }
  get end() { return this.events.length ? this.events[this.events.length - 1].at : 0; }

  // add puts events to the end. One that came late is put back to its place.
  add(e) {
    if (!this.self && e.kind === "answer") this.self = e.from;
    if (e.at >= this.end) {
      this.events.push(e);
    } else {
      this.events.splice(this.index(e.at), 0, e);
      this.changed = true; // what was made of the tape is out of date
    }
    if (this.events.length > most * 1.1) {
      this.events.splice(0, this.events.length - most);
      this.changed = true;
    }
  }

  // index is that of the first event after a time.
  index(at) {
    let low = 0, high = this.events.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.events[mid].at <= at) low = mid + 1; else high = mid;
    }
    return low;
  }

  // between are the events after a time, until another.
  between(after, until) { return this.events.slice(this.index(after), this.index(until)); }

  // bins counts what happened in n stretches of time.
  bins(n, from, to) {
    const all = Array.from({ length: n }, () => ({ fresh: 0, stale: 0, peer: 0, root: 0, failed: 0, asked: 0, messages: 0, joins: 0, leaves: 0, marks: [] }));
    const width = (to - from) / n || 1;
    for (let i = this.index(from - 1); i < this.events.length && this.events[i].at <= to; i++) {
      const e = this.events[i];
      count(all[Math.min(n - 1, Math.floor((e.at - from) / width))], e);
    }
    return all;
  }
}

function count(bin, e) {
  if (e.kind === "answer") {
    bin.asked++;
    bin[groupOf(e.by)]++;
  } else if (e.kind === "ask" || e.kind === "reply" || e.kind === "put" || e.kind === "any") {
    bin.messages++;
  } else if (e.kind === "join") {
    bin.joins++;
  } else if (e.kind === "leave") {
    bin.leaves++;
  } else if (e.kind === "mark" || e.kind === "upstream") {
    bin.marks.push(e);
  }
}

// A moment is how things were at a time, by the events until then.
export class Moment {
  constructor(tape) {
    this.tape = tape;
    this.reset();
  }

  reset() {
    this.at = 0;
    this.next = 0;
    this.members = new Map(); // by NodeID
    this.total = { fresh: 0, stale: 0, peer: 0, root: 0, failed: 0, asked: 0 };
    this.tape.changed = false;
  }

  // move goes to a time; back means from the beginning.
  move(at) {
    if (at < this.at || this.tape.changed) this.reset();
    const events = this.tape.events;
    while (this.next < events.length && events[this.next].at <= at) this.apply(events[this.next++]);
    this.at = at;
  }

  apply(e) {
    if (e.from) this.hear(e);
    if (e.to) this.member(e.to, e.at);
    if (e.kind !== "answer") return;
    const g = groupOf(e.by), m = this.members.get(e.from);
    this.total.asked++;
    this.total[g]++;
    if (m) { m.asked++; m[g]++; }
  }

  // upstream is how the servers of the tape's own node are.
  get upstream() {
    const m = this.members.get(this.tape.self);
    return m && m.upstream !== "unknown" ? { state: m.upstream, since: m.upstreamSince } : { state: "unknown", since: 0 };
  }

  // hear takes an event down as a sign of life, or of death.
  hear(e) {
    const m = this.member(e.from, e.at);
    m.heard = e.at;
    if (e.kind === "leave") { m.live = false; m.left = e.at; } else m.live = true;
    if (e.kind === "upstream") judge(m, e);
  }

  member(id, at) {
    let m = this.members.get(id);
    if (!m) {
      m = { id, servers: {}, live: true, heard: at, upstream: "unknown", upstreamSince: at, asked: 0, fresh: 0, stale: 0, peer: 0, root: 0, failed: 0 };
      this.members.set(id, m);
    }
    return m;
  }

  // flows are the answers that members gave to others in the last seconds, by "from to".
  flows(seconds) {
    const all = new Map();
    for (const e of this.tape.between(this.at - seconds * 1000, this.at)) {
      if (e.kind !== "reply" || !e.to || (e.text && e.text !== "have")) continue;
      const key = e.from + " " + e.to;
      all.set(key, (all.get(key) || 0) + 1);
    }
    return all;
  }
}

// judge takes down what an event says of a node's servers: "server 0: down, was suspect"
// of one of them, or "down" of all.
function judge(m, e) {
  const [, server, state] = /^(?:server (\d+): )?([a-z]+)/.exec(e.text || "") || [];
  if (!states.includes(state)) return;
  if (server === undefined) m.servers = {};
  m.servers[server || "0"] = state;
  const best = states.find((s) => Object.values(m.servers).includes(s));
  if (best !== m.upstream) { m.upstream = best; m.upstreamSince = e.at; }
}

// parse reads a recording: one event a line. It says how many lines were none.
export function parse(text) {
  const events = [];
  let bad = 0;
  for (const line of text.split("\n")) {
    if (!line.trim()) continue;
    const e = event(line);
    if (e) events.push(e); else bad++;
  }
  events.sort((a, b) => a.at - b.at);
  return { events, bad };
}

// event reads one line, of which no more is taken than the page knows.
export function event(line) {
  let e;
  try { e = JSON.parse(line); } catch { return null; }
  if (!e || typeof e !== "object" || !Number.isFinite(e.at) || e.at < 0 || e.at > 8e15 || !/^[a-z]{1,16}$/.test(e.kind)) return null;
  const text = (s) => (typeof s === "string" ? s.slice(0, 1024) : "");
  return {
    at: e.at, kind: e.kind, from: text(e.from), to: text(e.to), name: text(e.name), by: text(e.by), text: text(e.text),
    ms: Number.isFinite(e.ms) ? e.ms : 0,
  };
}
