// A panel: one node's view, live or recorded, at one moment.
import { clock, groups, doubted, make, ms, percent, sentence, short, span, took } from "./words.js";
import { Moment, Tape } from "./tape.js";
import { Ring } from "./ring.js";
import { Matrix } from "./matrix.js";
import { Timeline } from "./timeline.js";

// ringMost is how many nodes a ring has room for.
const ringMost = 60;

const counted = (c) => ({ asked: c.asked, fresh: c.fresh, stale: c.stale, peer: c.peer, root: c.iterated, failed: c.failed });

export class Panel {
  constructor(element, title, seek) {
    this.element = element;
    this.parts = {};
    for (const el of element.querySelectorAll("[data-part]")) this.parts[el.dataset.part] = el;
    if (title) this.parts.title.textContent = title;
    this.tape = new Tape();
    this.moment = new Moment(this.tape);
    this.timeline = new Timeline(this.parts.timeline, seek);
    this.state = null; // of the node, when it is live
    this.chosen = "";
    this.shown = 0; // until when waves were shown
    this.arrived = []; // events since the last drawing
    this.news = true; // something came since then
    this.bars = groups.map((g) => this.parts.share.appendChild(make("i", undefined, { class: g })));
  }

  // hear takes an event of the live node.
  hear(e) {
    this.tape.add(e);
    this.news = true;
    if (e.at > this.tape.end - 5000 && this.arrived.length < 1000) this.arrived.push(e);
  }

  // draw shows how things were at a time. At the end of a live tape the node's own word
  // counts; before, what follows from the events.
  draw(at, live, moving) {
    this.last = { at, live };
    this.news = false;
    this.moment.move(at);
    const s = live ? this.state : null;
    this.members = s ? this.told(s) : this.guessed(at);
    if (s) {
      this.glance(s.upstream, s.upstream_for, counted(s), s.entries);
    } else {
      const u = this.moment.upstream;
      this.glance(u.state, u.since ? (at - u.since) / 1000 : 0, this.moment.total);
    }
    this.ready(s);
    this.tables(s);
    this.picture(at, moving);
    this.card();
    this.log(at);
    const from = this.tape.begin || at, to = live && s ? Math.max(s.at, this.tape.end) : this.tape.end;
    const alive = this.members.filter((m) => m.live).length;
    this.parts.moment.textContent = `${this.timeline.draw(this.tape, from, to || at, at) || ""}, ${alive} ${alive === 1 ? "node lives" : "nodes live"}`;
  }

  // told are the members as the node knows them, and those of the events that are gone.
  told(s) {
    const all = s.members.map((m) => ({ ...m, root: m.iterated, upstreamSpan: m.upstream_for }));
    const known = new Set(all.map((m) => m.id));
    for (const m of this.moment.members.values()) {
      if (!known.has(m.id) && !m.live && s.at - m.left < 300000) all.push({ ...m, gone: true });
    }
    return sorted(all);
  }

  guessed(at) {
    const all = [];
    for (const m of this.moment.members.values()) {
      if (!m.live && at - m.left > 300000) continue;
      all.push({ ...m, self: m.id === this.tape.self, seen: (at - m.heard) / 1000, upstreamSpan: (at - m.upstreamSince) / 1000 });
    }
    return sorted(all);
  }

  glance(state, seconds, total, entries) {
    const p = this.parts, answered = total.asked - total.failed;
    p.light.className = "light " + state;
    p.upstream.textContent = state;
    p.since.textContent = state === "unknown" ? "nothing was said of them yet" : `for ${span(seconds)}`;
    p.answered.textContent = percent(answered, total.asked);
    p.of.textContent = `of ${total.asked} lookups` + (entries === undefined ? "" : `, ${entries} answers kept`);
    groups.forEach((g, i) => {
      this.bars[i].style.flexGrow = total[g];
      p.carried.children[i].textContent = total[g];
    });
  }

  ready(s) {
    const p = this.parts;
    p.ready.textContent = s ? percent(s.answerable, s.of) : "–";
    p.readytext.textContent = !s ? "known of a running node only" : s.of ? `of the ${s.of} lookups of the last hour would be answered` : "no lookups in the last hour";
  }

  tables(s) {
    const rows = this.members.map((m) => {
      const tr = make("tr", undefined, m.live ? {} : { class: "dead" });
      tr.append(make("th", short(m.id) + (m.self ? " (this)" : "") + (m.live ? "" : " (gone)") + (doubted(m) ? " (not believed)" : ""), { scope: "row", title: m.id }));
      tr.append(make("td", (m.addrs || []).join(", ")), make("td", m.link || ""));
      tr.append(make("td", m.upstream === "unknown" ? "" : `${m.upstream} for ${span(m.upstreamSpan || 0)}`, { class: m.upstream }));
      const figures = [m.self || m.rtt === undefined ? "" : ms(m.rtt), m.self || m.seen === undefined ? "" : span(m.seen) + " ago", m.entries, m.weight, m.asked, m.stale, m.peer, m.failed];
      for (const f of figures) tr.append(make("td", f === undefined ? "" : String(f), { class: "n" }));
      return tr;
    });
    if (!rows.length) rows.push(row("alone", 12));
    keep(this.parts.members, rows);
    this.parts.serverlist.hidden = this.parts.kept.hidden = !s;
    if (!s) return;
    const servers = (s.servers || []).map((v) => {
      const tr = make("tr");
      tr.append(make("th", v.name, { scope: "row" }), make("td", v.state, { class: v.state }), make("td", took(v.ms), { class: "n" }));
      return tr;
    });
    keep(this.parts.servers, servers.length ? servers : [row("none", 3)]);
    this.kept(s.kept || {});
  }

  // kept is what is in the node's cache, and how old that is.
  kept(k) {
    const ages = k.ages || [], all = ages.reduce((a, n) => a + n, 0);
    this.parts.keptfor.textContent = `${k.own || 0} answers that this machine asked for, ${k.owned || 0} for the group. Since they were learned:`;
    keep(this.parts.ages, ages.map((n) => {
      const td = make("td", percent(n, all), { class: "n" }), bar = make("i");
      bar.style.height = `${(2.5 * n) / Math.max(1, ...ages)}rem`;
      td.prepend(bar);
      return td;
    }));
  }

  picture(at, moving) {
    const Kind = this.members.length > ringMost ? Matrix : Ring;
    if (!(this.drawing instanceof Kind)) {
      this.drawing = new Kind((id) => { this.chosen = this.chosen === id ? "" : id; this.draw(this.last.at, this.last.live, false); });
      this.parts.picture.replaceChildren(this.drawing.element);
    }
    const flows = this.moment.flows(Kind === Matrix ? 60 : 10);
    // What is live is shown as it comes, which may be after its time was drawn.
    const waves = this.last.live ? this.arrived : moving && at - this.shown < 5000 ? this.tape.between(this.shown, at) : [];
    for (const e of waves) if (e.kind === "hello" || e.kind === "any") this.drawing.wave(e.from, e.kind);
    this.arrived = [];
    this.shown = at;
    this.drawing.draw(this.members, flows, this.chosen, this.heirs(at));
  }

  // heirs are who was given answers, when a member has just gone: its names have new owners.
  heirs(at) {
    const gone = this.members.filter((m) => !m.live && at - (m.left || 0) < 10000);
    if (!gone.length) return new Set();
    const first = Math.min(...gone.map((m) => m.left || at));
    return new Set(this.tape.between(first, at).filter((e) => e.kind === "put").map((e) => e.to));
  }

  card() {
    const m = this.members.find((x) => x.id === this.chosen), flows = this.moment.flows(10);
    if (!m) {
      const live = this.members.filter((x) => x.live).length;
      return say(this.parts.card, `${live} ${live === 1 ? "node lives" : "nodes live"}: choose one to see more of it`, this.drawing.legend);
    }
    let gave = 0, got = 0;
    for (const [key, n] of flows) {
      if (key.startsWith(m.id + " ")) gave += n;
      if (key.endsWith(" " + m.id)) got += n;
    }
    say(this.parts.card, `Node ${short(m.id)}${m.self ? ", this machine" : ""}${m.live ? "" : ", gone"}`, [
      ["id", m.id], ["addresses", (m.addrs || []).join(", ")], ["link", m.link], ["round trip", m.self || m.rtt === undefined ? "" : ms(m.rtt)],
      ["name servers", m.upstream === "unknown" ? "" : `${m.upstream} for ${span(m.upstreamSpan || 0)}`],
      ["answers kept", m.entries], ["weight", m.weight], ["version", m.version],
      ["found right", m.self || m.trust === undefined ? "" : percent(Math.round(m.trust * 1000), 1000) + (doubted(m) ? ": it is not asked" : "")],
      ["lookups", m.asked ? `${m.asked}: ${m.fresh} fresh, ${m.stale} stale, ${m.peer} by members, ${m.root} from the root, ${m.failed} failed` : ""],
      ["in 10 s", `gave ${gave} answers to others, got ${got}`],
    ]);
  }

  log(at) {
    const end = this.tape.index(at);
    const some = this.tape.events.slice(Math.max(0, end - 400), end).filter((e) => e.kind !== "hello").slice(-10).reverse();
    keep(this.parts.log, some.map((e) => {
      const li = make("li");
      li.append(make("time", clock(e.at)), sentence(e));
      return li;
    }));
  }
}

// sorted has the node itself first, and the others by their ids, so that they keep
// their places.
const sorted = (members) => members.sort((a, b) => (b.self ? 1 : 0) - (a.self ? 1 : 0) || (a.id < b.id ? -1 : 1));

// keep puts rows into a place, unless they are what is there: who reads or marks text in
// it is not disturbed.
function keep(place, rows) {
  const text = rows.map((r) => r.outerHTML).join("\n");
  if (place.made === text) return;
  place.made = text;
  place.replaceChildren(...rows);
}

function row(text, columns) {
  const tr = make("tr");
  tr.append(make("td", text, { colspan: columns }));
  return tr;
}

function say(place, title, pairs) {
  const list = make("dl");
  for (const [k, v] of pairs) if (v !== "" && v !== undefined) list.append(make("dt", k), make("dd", String(v)));
  keep(place, [make("h3", title), list]);
}
