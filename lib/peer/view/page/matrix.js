// The matrix: for many nodes, a square of who answered whom. A row is who answered, a
// column who asked, and the diagonal how a node's name servers are.
import { make, short } from "./words.js";

const cell = 8;

export class Matrix {
  constructor(choose) {
    this.choose = choose;
    this.box = make("div");
    this.canvas = make("canvas", undefined, { tabindex: 0, role: "img" });
    this.text = make("p");
    this.box.append(this.canvas, this.text);
    this.members = [];
    this.row = 0;
    this.canvas.addEventListener("mousemove", (e) => this.tell(...this.where(e)));
    this.canvas.addEventListener("click", (e) => this.pick(this.where(e)[0]));
    this.canvas.addEventListener("keydown", (e) => this.key(e));
    this.rung = new Map(); // who sent a multicast, until when it is shown
  }

  get element() { return this.box; }

  get legend() {
    return [["row", "who answered"], ["column", "who asked"], ["colour", "answers in the last 60 s"], ["diagonal", "name servers of a node"], ["bright row", "a multicast"]];
  }

  draw(members, flows, chosen) {
    this.members = members;
    this.flows = flows;
    const n = members.length, c = this.canvas, style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue("--" + name).trim();
    if (c.width !== n * cell) c.width = c.height = n * cell;
    const g = c.getContext("2d"), at = new Map(members.map((m, i) => [m.id, i]));
    g.fillStyle = colour("card");
    g.fillRect(0, 0, c.width, c.height);
    this.diagonal(g, colour, chosen);
    g.fillStyle = colour("peer");
    for (const [key, k] of flows) {
      const [from, to] = key.split(" ").map((id) => at.get(id));
      if (from === undefined || to === undefined) continue;
      g.globalAlpha = Math.min(1, 0.3 + 0.2 * Math.log2(1 + k));
      g.fillRect(to * cell, from * cell, cell, cell);
    }
    g.globalAlpha = 1;
    c.setAttribute("aria-label", `Matrix of ${n} nodes: who answered whom. Arrow keys go through the nodes, Enter shows one`);
  }

  diagonal(g, colour, chosen) {
    const states = { healthy: "root", down: "failed", suspect: "stale", probation: "stale", captive: "stale" };
    const now = performance.now();
    this.members.forEach((m, i) => {
      const rung = (this.rung.get(m.id) || 0) > now;
      if (m.id === chosen || rung) {
        g.fillStyle = colour(rung ? "fresh" : "still");
        g.globalAlpha = 0.25;
        g.fillRect(0, i * cell, g.canvas.width, cell);
        g.globalAlpha = 1;
      }
      g.fillStyle = colour(m.live ? states[m.upstream] || "still" : "line");
      g.fillRect(i * cell, i * cell, cell, cell);
    });
  }

  wave(from) { this.rung.set(from, performance.now() + 1200); }

  where(e) {
    const r = this.canvas.getBoundingClientRect(), n = this.members.length;
    const at = (x, size) => Math.max(0, Math.min(n - 1, Math.floor((x / size) * n)));
    return [at(e.clientY - r.top, r.height), at(e.clientX - r.left, r.width)];
  }

  tell(row, column) {
    const a = this.members[row], b = this.members[column];
    if (!a || !b) return;
    const n = this.flows.get(a.id + " " + b.id) || 0;
    this.text.textContent = a === b ? `${short(a.id)}: name servers ${a.upstream}` : `${short(a.id)} answered ${short(b.id)} ${n} times in 60 s`;
  }

  pick(row) {
    this.row = row;
    if (this.members[row]) this.choose(this.members[row].id);
  }

  key(e) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key], n = this.members.length;
    if (!n || (!step && e.key !== "Enter" && e.key !== " ")) return;
    this.pick((this.row + (step || 0) + n) % n);
    this.tell(this.row, this.row);
    e.preventDefault();
    e.stopPropagation();
  }
}
