// The timeline: lookups by what answered them, and how many nodes and messages there were.
import { clock, groups, percent, span } from "./words.js";

// Room for marks above the bars, and for the time below.
const top = 26, bottom = 14;

export class Timeline {
  constructor(canvas, seek) {
    this.canvas = canvas;
    this.from = this.to = 0;
    canvas.addEventListener("pointerdown", (e) => {
      const r = canvas.getBoundingClientRect();
      seek(this.from + ((e.clientX - r.left) / r.width) * (this.to - this.from));
    });
  }

  draw(tape, from, to, at) {
    this.from = from;
    this.to = Math.max(to, from + 10000);
    const c = this.canvas, scale = window.devicePixelRatio || 1, w = c.clientWidth, h = c.clientHeight;
    if (!w) return;
    if (c.width !== Math.round(w * scale)) c.width = Math.round(w * scale);
    if (c.height !== Math.round(h * scale)) c.height = Math.round(h * scale);
    const g = c.getContext("2d");
    g.setTransform(scale, 0, 0, scale, 0, 0);
    g.clearRect(0, 0, w, h);
    const style = getComputedStyle(document.documentElement);
    this.colour = (name) => style.getPropertyValue("--" + name).trim();
    const n = Math.max(10, Math.min(240, Math.floor(w / 5)));
    const bins = tape.bins(n, this.from, this.to);
    this.bars(g, bins, w, h);
    this.messages(g, bins, w, h);
    this.marks(g, bins, w, h);
    const x = ((at - this.from) / (this.to - this.from)) * w;
    g.fillStyle = this.colour("front");
    g.fillRect(Math.min(w - 1, x), 0, 1.5, h);
    return this.words(bins, n, at);
  }

  bars(g, bins, w, h) {
    const most = Math.max(1, ...bins.map((b) => b.asked)), width = w / bins.length;
    bins.forEach((b, i) => {
      let y = h - bottom;
      for (const name of groups) {
        const tall = (b[name] / most) * (h - top - bottom);
        g.fillStyle = this.colour(name);
        g.fillRect(i * width, y - tall, Math.max(1, width - 1), tall);
        y -= tall;
      }
    });
    g.fillStyle = this.colour("soft");
    g.font = "11px system-ui, sans-serif";
    g.fillText(clock(this.from), 0, h - 2);
    g.textAlign = "right";
    g.fillText(clock(this.to), w, h - 2);
    g.textAlign = "left";
  }

  // messages draws how many there were a lookup, from 0 to 5.
  messages(g, bins, w, h) {
    g.strokeStyle = this.colour("front");
    g.lineWidth = 1;
    g.beginPath();
    let drawn = false;
    bins.forEach((b, i) => {
      if (!b.asked) { drawn = false; return; }
      const x = ((i + 0.5) / bins.length) * w, y = h - bottom - Math.min(1, b.messages / b.asked / 5) * (h - top - bottom);
      if (drawn) g.lineTo(x, y); else g.moveTo(x, y);
      drawn = true;
    });
    g.stroke();
  }

  // marks shows at the top what was marked, and who came and left.
  marks(g, bins, w, h) {
    const ends = [0, 0]; // of the texts in two rows
    bins.forEach((b, i) => {
      const x = (i / bins.length) * w;
      if (b.joins) this.tip(g, x, "root", -1);
      if (b.leaves) this.tip(g, x, "failed", 1);
      for (const e of b.marks) {
        g.fillStyle = this.colour(e.kind === "mark" ? "front" : /^(server \d+: )?healthy/.test(e.text || "") ? "root" : "failed");
        g.fillRect(x, 0, 1, h - bottom);
        const text = (e.text || e.kind).split(",")[0].slice(0, 18), wide = g.measureText(text).width;
        const left = Math.min(x + 3, w - wide), row = ends.findIndex((end) => end <= left);
        if (row < 0) continue; // there is no room; the log has it
        g.fillText(text, left, 10 + 11 * row);
        ends[row] = left + wide + 4;
      }
    });
  }

  // tip is a small triangle, up for who came and down for who left.
  tip(g, x, colour, down) {
    g.fillStyle = this.colour(colour);
    g.beginPath();
    g.moveTo(x, 7 + 4 * down);
    g.lineTo(x - 3, 7 - 3 * down);
    g.lineTo(x + 3, 7 - 3 * down);
    g.fill();
  }

  words(bins, n, at) {
    const b = bins[Math.max(0, Math.min(n - 1, Math.floor(((at - this.from) / (this.to - this.from)) * n)))];
    const mark = this.mark(bins, bins.indexOf(b), at);
    const ratio = b.asked && b.messages ? `, ${(b.messages / b.asked).toFixed(1)} messages a lookup (the line, of 5)` : "";
    return `${clock(at)}: ${percent(b.asked - b.failed, b.asked)} of ${b.asked} lookups answered${ratio}${mark}`;
  }

  // mark says what was marked last until a moment, as who kills nodes does.
  mark(bins, last, at) {
    for (let i = last; i >= 0; i--) {
      const e = bins[i].marks.findLast((m) => m.kind === "mark" && m.at <= at);
      if (e) return `, ${span((at - e.at) / 1000)} after ${e.text || "a mark"}`;
    }
    return "";
  }
}
