// The page: the node's own view by Server-Sent Events, or recordings from files, and the
// player that moves through time.
import { clock, span } from "./words.js";
import { event, parse } from "./tape.js";
import { Panel } from "./panel.js";

const $ = (id) => document.getElementById(id);
document.documentElement.classList.add("js");

// pristine is what a panel for a recording begins as.
const pristine = document.querySelector(".panel").cloneNode(true);

const page = {
  panels: [],
  live: true, // not a recording
  follow: true, // the present
  playing: true,
  pos: 0, // milliseconds since the begin of the tapes
  last: performance.now(),
};

const length = () => Math.max(1, ...page.panels.map((p) => end(p) - p.tape.begin));
const end = (p) => (page.live && p.state ? Math.max(p.state.at, p.tape.end) : p.tape.end) || p.tape.begin;

function seek(pos) {
  page.pos = Math.max(0, Math.min(pos, length()));
  page.follow = page.live && page.pos >= length() - 500;
  if (page.follow) page.playing = true;
  draw(false);
}

function draw(moving) {
  for (const p of page.panels) {
    const live = page.live && page.follow, at = live ? end(p) : p.tape.begin + page.pos;
    p.draw(at, live, moving);
  }
  const total = length(), p = page.panels[0];
  $("when").value = String(Math.round((page.pos / total) * 1000));
  const text = page.live && page.follow ? "now" : page.panels.length > 1 ? `${span(page.pos / 1000)} in` : clock(p.tape.begin + page.pos);
  $("clock").textContent = text;
  $("when").setAttribute("aria-valuetext", text);
  $("play").textContent = page.playing ? "Pause" : "Play";
}

// tick moves the time on, some times a second.
function tick() {
  const now = performance.now(), passed = now - page.last;
  page.last = now;
  if (document.hidden || !page.playing || (page.follow && !page.panels.some((p) => p.news))) return;
  if (page.follow) page.pos = length();
  else page.pos += passed * Number($("speed").value);
  if (page.pos >= length()) {
    page.pos = length();
    page.follow = page.live;
    page.playing = page.live;
  }
  draw(true);
}

function connect() {
  const p = new Panel(document.querySelector(".panel"), "", (at) => seek(at - p.tape.begin));
  page.panels = [p];
  const source = new EventSource("events");
  page.source = source;
  source.addEventListener("state", (e) => { p.state = JSON.parse(e.data); p.news = true; news(""); });
  source.addEventListener("message", (e) => { const v = event(e.data); if (v) p.hear(v); });
  source.addEventListener("error", () => news("No word from the node: is it running?"));
}

const news = (text) => { if ($("news").textContent !== text) $("news").textContent = text; };

// open shows recordings instead of what is live.
async function open(files) {
  const read = [];
  for (const f of [...files].slice(0, 2)) read.push({ name: f.name, ...parse(await f.text()) });
  const bad = read.reduce((n, r) => n + r.bad, 0);
  const good = read.filter((r) => r.events.length);
  if (!good.length) return news("No events in there: a recording has one a line, as nc-peer -events writes it");
  page.source?.close();
  Object.assign(page, { live: false, follow: false, playing: true, pos: 0, panels: [] });
  const articles = good.map(() => pristine.cloneNode(true));
  $("panels").replaceChildren(...articles);
  $("panels").classList.toggle("two", good.length > 1);
  good.forEach((r, i) => {
    const p = new Panel(articles[i], `Recording ${r.name}`, (at) => seek(at - p.tape.begin));
    r.events.forEach((e) => p.tape.add(e));
    page.panels.push(p);
  });
  $("live").hidden = false;
  news(bad ? `${bad} lines were no events` : "");
  draw(false);
}

async function why(e) {
  e.preventDefault();
  const box = $("because"), text = box.querySelector("pre");
  try {
    const answer = await fetch("why?" + new URLSearchParams(new FormData($("why"))));
    text.textContent = await answer.text();
  } catch (err) {
    text.textContent = String(err);
  }
  box.hidden = false;
  box.tabIndex = -1;
  box.focus();
}

function toggle() {
  page.playing = !page.playing;
  if (!page.playing) page.follow = false;
  else if (page.pos >= length() - 500) { if (page.live) page.follow = true; else page.pos = 0; }
  draw(false);
}

const keys = {
  " ": toggle,
  ArrowLeft: () => { page.playing = false; seek(page.pos - length() / 100); page.follow = false; draw(false); },
  ArrowRight: () => seek(page.pos + length() / 100),
  Home: () => seek(0),
  End: () => seek(length()),
  "/": () => $("name").focus(),
  o: () => $("file").click(),
  Escape: () => { $("because").hidden = true; },
};

document.addEventListener("keydown", (e) => {
  const typing = e.target.closest("input, select, button, summary, canvas[tabindex]");
  if (e.ctrlKey || e.altKey || e.metaKey || !keys[e.key] || (typing && e.key !== "Escape")) return;
  e.preventDefault();
  keys[e.key]();
});
$("why").addEventListener("submit", why);
$("because").querySelector("button").addEventListener("click", () => { $("because").hidden = true; $("name").focus(); });
$("file").addEventListener("change", (e) => { open(e.target.files); e.target.value = ""; });
document.addEventListener("dragover", (e) => e.preventDefault());
document.addEventListener("drop", (e) => { e.preventDefault(); if (e.dataTransfer.files.length) open(e.dataTransfer.files); });
$("live").addEventListener("click", () => location.reload());
$("play").addEventListener("click", toggle);
$("when").addEventListener("input", (e) => seek((Number(e.target.value) / 1000) * length()));

// What is drawn on a canvas has the colours and the size of when it was drawn.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(false));
addEventListener("resize", () => draw(false));

connect();
setInterval(tick, 200);
