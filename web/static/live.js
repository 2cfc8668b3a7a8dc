// What is live on a page: one stream for each tab that is seen, at most four in a browser, else a poll every 5 s.
"use strict";
(() => {
  const button = document.querySelector("#live");
  const topics = [...new Set([...document.querySelectorAll("[data-topics]")].flatMap((e) => e.dataset.topics.split(",")))].sort();
  if (!button || !topics.length) return;
  const asker = document.querySelector("[data-tail]");
  const address = `/ui/stream?topics=${topics.join(",")}` + (asker && asker.dataset.tail ? `&q=${encodeURIComponent(asker.dataset.tail)}` : "");
  const main = document.querySelector("#main");
  const words = document.querySelector("#live-words");

  let source = null, opened = false, timer = 0, tries = 0, polls = 0, epoch = 0;
  let heard = Date.now(), watched = heard, broken = false, paused = false, ended = false, polling = "";
  const held = new Map();

  const say = () => {
    const age = Math.round((Date.now() - heard) / 1000);
    const state = ended ? "stale" : paused ? "paused" : broken && age > 1 ? "stale" : "live";
    const text = ended ? "logged out" : state === "stale" ? `stale for ${age} s` : state === "live" && polling ? "every 5 s" : state;
    button.className = `bare state js is-${state}`;
    if (words.textContent !== text) words.textContent = text;
    button.title = polling && state === "live" ? polling : "Pause or go on";
    button.setAttribute("aria-pressed", String(paused));
    for (const part of [main, document.querySelector("#pulse")]) if (part) part.classList.toggle("stale", state === "stale");
  };

  const morph = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeName !== fresh.nodeName) { old.replaceWith(fresh); return; }
    if (old.nodeType !== Node.ELEMENT_NODE) { old.data = fresh.data; return; }
    if (old.hasAttribute("data-keep")) return;
    for (const { name, value } of [...fresh.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const same = child.id && [...old.children].find((e) => e.id === child.id);
      if (same) {
        if (same !== at) old.insertBefore(same, at);
        at = same.nextSibling;
        morph(same, child);
      } else if (!at || child.id || at.id) {
        old.insertBefore(child, at);
      } else {
        const next = at.nextSibling;
        morph(at, child);
        at = next;
      }
    }
    while (at) { const next = at.nextSibling; at.remove(); at = next; }
  };

  const selected = (element) => { const s = getSelection(); return !s.isCollapsed && s.containsNode(element, true); };
  const show = (name, data) => {
    held.delete(name);
    if (/^[[{]/.test(data)) { document.dispatchEvent(new CustomEvent(`live:${name}`, { detail: JSON.parse(data) })); return; }
    const template = document.createElement("template");
    template.innerHTML = data;
    const fresh = template.content;
    if (!document.dispatchEvent(new CustomEvent(`live:${name}`, { detail: fresh, cancelable: true }))) return;
    const pairs = [...fresh.children].map((e) => [e.id && document.getElementById(e.id), e]).filter(([old]) => old);
    if (pairs.some(([old]) => selected(old))) { held.set(name, data); return; }
    for (const [old, e] of pairs) {
      const id = e.id;
      if (old.isEqualNode(e)) continue;
      morph(old, e);
      const now = document.getElementById(id);
      if (now && window.htmx) htmx.process(now);
      document.dispatchEvent(new CustomEvent("live:shown", { detail: id }));
    }
  };
  const receive = (name, data) => { if (paused && name !== "tail") held.set(name, data); else show(name, data); };
  const told = () => { heard = watched = Date.now(); broken = false; say(); };

  // A browser opens six connections to a server. The lease of a tab is in localStorage, which pages over plain HTTP have, unlike Web Locks.
  const most = 4, lease = 15000, prefix = "mutt_live_";
  const mine = prefix + Math.random().toString(36).slice(2), since = Date.now();
  const ranked = () => {
    const all = [];
    for (let i = localStorage.length - 1; i >= 0; i--) {
      const key = localStorage.key(i);
      if (!key.startsWith(prefix)) continue;
      const [until, from] = localStorage.getItem(key).split(" ").map(Number);
      if (until > Date.now()) all.push([from, key]); else if (key !== mine) localStorage.removeItem(key);
    }
    return all.sort(([a, x], [b, y]) => a - b || (x < y ? -1 : 1)).map(([, key]) => key);
  };
  const hold = () => {
    try {
      const others = ranked();
      if (!others.includes(mine) && others.length >= most) return false;
      localStorage.setItem(mine, `${Date.now() + lease} ${since}`);
      if (ranked().indexOf(mine) < most) return true;
      localStorage.removeItem(mine);
    } catch { }
    return false;
  };
  const drop = () => { try { localStorage.removeItem(mine); } catch {} };

  const close = () => {
    epoch++;
    clearTimeout(timer);
    if (source) source.close();
    source = null;
    drop();
  };
  const end = () => {
    close();
    ended = true;
    say();
    document.dispatchEvent(new CustomEvent("live:ended"));
  };
  // poll returns the status of the answer; 0: there was none, -1: it is not wanted any more.
  const poll = async () => {
    const asked = epoch;
    try {
      const answer = await fetch(`${address}&once=1`, { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(8000) });
      const parts = answer.ok ? await answer.json() : {};
      if (asked !== epoch) return -1;
      for (const [name, data] of Object.entries(parts)) receive(name, data);
      if (answer.ok) told();
      return answer.status;
    } catch {
      return asked === epoch ? 0 : -1;
    }
  };
  const later = (act, seconds) => { clearTimeout(timer); timer = setTimeout(act, seconds * 1000); };
  const pollOn = async () => {
    const status = await poll();
    if (status < 0) return;
    if (status === 401 || status === 403) { end(); return; }
    if (status !== 200) broken = true;
    say();
    later(--polls > 0 ? pollOn : start, 5);
  };
  const every5 = (why, times) => { polling = why; polls = times; pollOn(); };
  const failed = async () => {
    const was = opened;
    close();
    broken = true;
    say();
    const status = await poll();
    if (status < 0) return;
    if (status === 401 || status === 403) { end(); return; }
    if (status === 200 && !was) { every5("The server has as many live pages as it may", 6); return; }
    later(start, [1, 2, 5, 10][Math.min(tries++, 3)] * (0.75 + Math.random() / 2));
  };
  function start() {
    if (ended || document.visibilityState !== "visible") return;
    close();
    if (!hold()) { every5("Four other tabs of this browser are live", 1); return; }
    opened = false;
    watched = Date.now();
    const stream = source = new EventSource(address);
    const on = (name, act) => stream.addEventListener(name, (event) => { if (stream === source) act(event); });
    on("open", () => { opened = true; polling = ""; });
    on("beat", (event) => { if (event.data === "beat") tries = 0; told(); });
    on("end", end);
    on("error", failed);
    for (const name of topics) on(name, (event) => { receive(name, event.data); told(); });
  }

  button.addEventListener("click", () => {
    paused = !paused;
    document.dispatchEvent(new CustomEvent("live:paused", { detail: paused }));
    say();
  });
  setInterval(() => {
    if (document.visibilityState !== "visible") return;
    if (source && Date.now() - watched > 12500) failed();
    if (source && !hold()) { close(); start(); }
    if (!paused) for (const [name, data] of [...held]) show(name, data);
    if (broken) say();
  }, 1000);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") start(); else close(); });
  document.addEventListener("session:renewed", () => { ended = false; start(); });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) start(); });
  start();
})();
