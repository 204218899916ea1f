// The ring: a circle for each node, with arrows from who answers to who asked.
import { makeSVG, short } from "./words.js";

const radius = 74;

export class Ring {
  constructor(choose) {
    this.choose = choose;
    this.svg = makeSVG("svg", { viewBox: "-100 -100 200 200", role: "group", "aria-label": "Ring of nodes; arrows lead from who answers to who asked" });
    const defs = makeSVG("defs"), marker = makeSVG("marker", { id: "head-" + Math.random().toString(36).slice(2), viewBox: "0 0 6 6", refX: 5, refY: 3, markerWidth: 4, markerHeight: 4, orient: "auto" });
    marker.append(makeSVG("path", { d: "M0 0 6 3 0 6z", class: "head" }));
    defs.append(marker);
    this.marker = marker.id;
    this.layers = ["flows", "waves", "nodes"].map((name) => makeSVG("g", { class: name }));
    this.svg.append(defs, ...this.layers);
    this.nodes = new Map();
    this.places = new Map();
  }

  get element() { return this.svg; }

  get legend() {
    return [
      ["size", "answers kept"], ["rim", "its name servers: full when they answer, broken when down"],
      ["wedge", "share of its answers that were stale"], ["arrow", "answers in the last 10 s"], ["ripple", "a multicast"],
    ];
  }

  draw(members, flows, chosen, heirs) {
    const most = Math.max(1, ...members.map((m) => m.entries || 0));
    members.forEach((m, i) => this.place(m.id, i, members.length));
    const ids = new Set(members.map((m) => m.id));
    for (const [id, g] of this.nodes) if (!ids.has(id)) { g.remove(); this.nodes.delete(id); }
    for (const m of members) this.node(m, most, chosen, heirs);
    this.order(members);
    this.arrows(flows);
  }

  place(id, i, n) {
    const a = (i / n) * 2 * Math.PI - Math.PI / 2;
    this.places.set(id, { x: radius * Math.cos(a), y: radius * Math.sin(a), i, n });
  }

  // order has the elements stand as the nodes do, for who goes through them by key; it
  // touches nothing else, since an element that is moved loses the focus.
  order(members) {
    const layer = this.layers[2];
    members.forEach((m, i) => {
      const g = this.nodes.get(m.id);
      if (layer.children[i] !== g) layer.insertBefore(g, layer.children[i] || null);
    });
  }

  node(m, most, chosen, heirs) {
    let g = this.nodes.get(m.id);
    if (!g) {
      g = this.create(m);
      this.nodes.set(m.id, g);
      this.layers[2].append(g);
    }
    const p = this.places.get(m.id), crowd = Math.min(1, 16 / p.n);
    const r = (3 + 5 * Math.sqrt((m.entries || 0) / most)) * (0.5 + 0.5 * crowd), part = m.asked ? (m.stale || 0) / m.asked : 0;
    g.setAttribute("transform", `translate(${p.x.toFixed(2)} ${p.y.toFixed(2)})`);
    g.setAttribute("class", ["node", m.upstream, m.live ? "" : "gone", m.self ? "self" : "", m.id === chosen ? "chosen" : "", heirs.has(m.id) ? "heir" : ""].filter(Boolean).join(" "));
    g.setAttribute("aria-label", `node ${short(m.id)}${m.self ? ", this machine" : ""}${m.live ? "" : ", gone"}, name servers ${m.upstream}`);
    g.setAttribute("aria-pressed", String(m.id === chosen));
    const [body, pie, text, title] = g.children;
    body.setAttribute("r", r.toFixed(2));
    pie.setAttribute("r", (r / 2).toFixed(2));
    pie.setAttribute("stroke-width", r.toFixed(2));
    pie.setAttribute("stroke-dasharray", `${(part * Math.PI * r).toFixed(2)} ${(Math.PI * r).toFixed(2)}`);
    text.setAttribute("x", (p.x * 0.19).toFixed(2));
    text.setAttribute("y", (p.y * 0.19 + 1.7).toFixed(2));
    text.textContent = short(m.id);
    title.textContent = g.getAttribute("aria-label");
  }

  create(m) {
    const g = makeSVG("g", { tabindex: 0, role: "button" });
    g.append(makeSVG("circle", { class: "body" }), makeSVG("circle", { class: "part", transform: "rotate(-90)" }), makeSVG("text"), makeSVG("title"));
    g.addEventListener("click", () => this.choose(m.id));
    g.addEventListener("keydown", (e) => this.key(e, m.id));
    return g;
  }

  // key has the arrows go round the ring.
  key(e, id) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
    if (e.key === "Enter" || e.key === " ") this.choose(id);
    else if (step) {
      const all = [...this.layers[2].children], at = all.indexOf(this.nodes.get(id));
      all[(at + step + all.length) % all.length].focus();
    } else return;
    e.preventDefault();
    e.stopPropagation();
  }

  arrows(flows) {
    const all = [];
    for (const [key, n] of flows) {
      const [from, to] = key.split(" "), a = this.places.get(from), b = this.places.get(to);
      if (!a || !b || from === to) continue;
      // The arrow bends towards the middle and ends before the circle.
      const cx = (a.x + b.x) * 0.22 + (a.y - b.y) * 0.06, cy = (a.y + b.y) * 0.22 + (b.x - a.x) * 0.06;
      const l = Math.hypot(b.x - cx, b.y - cy) || 1, x = b.x - ((b.x - cx) / l) * 9, y = b.y - ((b.y - cy) / l) * 9;
      const path = makeSVG("path", { class: "flow", d: `M${a.x.toFixed(1)} ${a.y.toFixed(1)}Q${cx.toFixed(1)} ${cy.toFixed(1)} ${x.toFixed(1)} ${y.toFixed(1)}`, "stroke-width": (0.5 + 0.5 * Math.log2(1 + n)).toFixed(2), "marker-end": `url(#${this.marker})` });
      const title = makeSVG("title");
      title.textContent = `${short(from)} answered ${short(to)} ${n} times in 10 s`;
      path.append(title);
      all.push(path);
    }
    this.layers[0].replaceChildren(...all);
  }

  // wave shows a multicast as a ripple from its sender.
  wave(from, kind) {
    const p = this.places.get(from);
    if (!p || this.layers[1].children.length > 40) return;
    const c = makeSVG("circle", { class: `wave ${kind}`, cx: p.x.toFixed(1), cy: p.y.toFixed(1), r: 6 });
    c.addEventListener("animationend", () => c.remove());
    setTimeout(() => c.remove(), 1500); // where nothing moves
    this.layers[1].append(c);
  }
}
