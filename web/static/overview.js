// The charts of Overview: uPlot over the server's drawings, from the data that the page brings. The server's SVG stays where this does not run.
"use strict";
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const read = () => { const block = document.querySelector("#o-data data"); return block && JSON.parse(block.value); };
  let data = read();
  if (!data || !window.uPlot || !data.hour.in.length) return;
  const hour = 3600, drawn = {};
  let span = null; // [from, to] that is looked at; null for the last hour, which moves

  const probe = document.body.appendChild(document.createElement("i"));
  probe.hidden = true;
  const ink = (token) => { probe.style.color = `var(--${token})`; return getComputedStyle(probe).color; };
  const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);
  const day = (seconds) => new Date(seconds * 1000).toLocaleDateString("en", { weekday: "short", timeZone: "UTC" });
  const short = (v) => (v >= 1e6 ? `${v / 1e6}M` : v >= 1000 ? `${v / 1000}k` : `${v}`);
  const range = () => span || [data.now - hour, data.now];
  const ceiling = (v) => {
    if (v <= 10) return 10;
    const unit = 10 ** Math.floor(Math.log10(v));
    return [1, 1.5, 2, 3, 5, 10].find((s) => v <= s * unit) * unit;
  };

  // points returns the times and values of a range: by the minute while the last hour has them, else by five minutes.
  const points = (name, [from, to]) => {
    const s = from >= data.hour.from - data.hour.step ? data.hour : data.day;
    const x = [], y = [];
    s[name].forEach((v, i) => {
      const t = Math.min(s.from + (i + 1) * s.step, data.now);
      if (t >= from - s.step && t <= to + s.step) { x.push(t); y.push(v); }
    });
    return [x, y];
  };

  const marks = (alerts) => (u) => {
    const { ctx, bbox } = u, dpr = devicePixelRatio;
    ctx.save();
    ctx.font = `${11 * dpr}px ${getComputedStyle(document.body).fontFamily}`;
    let free = []; // where names stand already
    for (const m of data.marks || []) {
      if (m.out ? !alerts : alerts) continue; // changes stand on the chart of events
      const x = Math.round(u.valToPos(m.at, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      if (m.bad) {
        ctx.fillStyle = ink("bad-tint");
        ctx.globalAlpha = 0.55;
        ctx.fillRect(x, bbox.top, bbox.left + bbox.width - x, bbox.height);
        ctx.globalAlpha = 1;
      }
      ctx.strokeStyle = ink("ink2");
      ctx.setLineDash([2 * dpr, 2 * dpr]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (u.root.dataset.named && free.every((at) => Math.abs(at - x) > 90 * dpr)) {
        free.push(x);
        const right = x - bbox.left > bbox.width / 2;
        ctx.fillStyle = ink("ink2");
        ctx.textAlign = right ? "right" : "left";
        ctx.fillText(m.text, x + (right ? -4 : 4) * dpr, bbox.top + 11 * dpr);
      }
    }
    ctx.restore();
  };

  const plot = (host, name, height, { tone, fill, strip, labels, alerts, named }) => {
    const width = Math.max(120, host.clientWidth - (parseFloat(getComputedStyle(host).paddingLeft) * 2));
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const wide = width > 300;
    const u = new uPlot({
      width, height, legend: { show: false }, padding: [strip ? 2 : 8, 16, strip || labels ? 0 : 10, 0],
      cursor: { y: false, points: { show: !strip }, drag: { x: true, y: false, setScale: false } },
      scales: { x: { range: () => (strip ? [data.now - 24 * hour, data.now] : range()) }, y: { range: (_, low, high) => [0, ceiling(high)] } },
      axes: [
        { show: strip || labels, size: strip ? 18 : 22, gap: strip ? 2 : 5, font, stroke: ink("ink3"), grid: { show: false }, ticks: { show: false },
          splits: (_, __, low, high) => (wide ? [0, 0.25, 0.5, 0.75, 1] : [0, 0.5, 1]).map((part) => low + part * (high - low)),
          values: (_, splits) => splits.map((v, i) => (!strip ? clock(v) : i === splits.length - 1 ? "now" : i ? clock(v) : `${day(v)} ${clock(v)}`)) },
        { show: true, size: 38, gap: 6, font, stroke: strip ? "transparent" : ink("ink3"), grid: { show: !strip, stroke: ink("line"), width: 1 }, ticks: { show: false },
          splits: (_, __, low, high) => (height > 100 ? [0, high / 2, high] : [0, high]), values: (_, splits) => splits.map((v) => (strip ? "" : short(v))) },
      ],
      series: [{}, { stroke: ink(tone), fill: fill && ink(fill), width: 1.5, points: { show: false } }],
      hooks: { draw: [strip ? shade : marks(alerts)], setSelect: [(self) => chosen(self)] },
    }, points(name, strip ? [data.now - 24 * hour, data.now] : range()), host);
    if (named) { u.root.dataset.named = "1"; u.redraw(); }
    return u;
  };

  // shade marks on a strip what the charts show.
  const shade = (u) => {
    const [from, to] = range(), left = u.valToPos(from, "x"), right = u.valToPos(to, "x");
    u.quiet = true;
    u.setSelect({ left, width: Math.max(3, right - left), top: 0, height: u.over.clientHeight }, false);
    u.quiet = false;
  };

  // chosen looks closer at what was dragged over.
  const chosen = (u) => {
    const { left, width } = u.select;
    if (width < 4 || u.quiet) return;
    const from = u.posToVal(left, "x"), to = u.posToVal(left + width, "x");
    u.quiet = true;
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    u.quiet = false;
    look([from, to]);
  };

  // look shows a range, within the 24 hours that there are and no shorter than five minutes.
  const look = (next) => {
    if (next) {
      const length = Math.min(24 * hour, Math.max(300, next[1] - next[0]));
      const to = Math.min(data.now, Math.max(data.now - 24 * hour + length, next[1]));
      next = to === data.now && length === hour ? null : [to - length, to];
    }
    span = next;
    update();
    const [from, to] = range(), words = `${clock(from)} to ${clock(to)} UTC`;
    document.querySelector("#o-range").textContent = words;
    for (const strip of all("[data-strip]")) {
      strip.setAttribute("aria-valuenow", Math.round(to));
      strip.setAttribute("aria-valuetext", words);
    }
    for (const b of all("[data-range]")) b.setAttribute("aria-pressed", String(Math.round((to - from) / hour) === Number(b.dataset.range)));
  };

  const update = () => {
    for (const key of Object.keys(drawn)) {
      const { u, name, strip } = drawn[key];
      u.setData(points(name, strip ? [data.now - 24 * hour, data.now] : range()));
    }
  };

  const draw = () => {
    for (const key of Object.keys(drawn)) { drawn[key].u.destroy(); delete drawn[key]; }
    for (const pair of all(".pair")) pair.remove();
    for (const host of all("[data-chart]")) {
      host.classList.add("drawn");
      if (host.dataset.chart === "in") {
        drawn.in = { name: "in", u: plot(host, "in", 148, { tone: "accent", fill: "accent-tint", labels: true, named: true }) };
        continue;
      }
      const stuck = data.stuck ? "bad" : "ink3";
      drawn.waiting = { name: "waiting", u: plot(host, "waiting", 66, { tone: stuck, fill: data.stuck && "bad-tint", alerts: true, named: true }) };
      drawn.delivered = { name: "delivered", u: plot(host, "delivered", 86, { tone: "accent", fill: "accent-tint", labels: true, alerts: true }) };
      const pair = document.createElement("div");
      pair.className = "pair";
      pair.append(drawn.waiting.u.root, drawn.delivered.u.root);
      host.append(pair);
    }
    for (const host of all("[data-strip]")) {
      if (!host.clientWidth) continue; // a phone has buttons instead
      host.classList.add("drawn");
      const name = host.dataset.strip === "in" ? "in" : "delivered";
      drawn[`strip-${name}`] = { name, strip: true, u: plot(host, name, 48, { tone: "ink3", fill: "raise", strip: true }) };
    }
    look(span);
  };

  for (const strip of all("[data-strip]")) {
    strip.tabIndex = 0;
    strip.setAttribute("role", "slider");
    strip.setAttribute("aria-label", "What the charts show of the last 24 hours: arrows move, + and − change the length, Escape goes back");
    strip.setAttribute("aria-valuemin", Math.round(data.now - 24 * hour));
    strip.setAttribute("aria-valuemax", Math.round(data.now));
    strip.addEventListener("keydown", (event) => {
      const [from, to] = range(), length = to - from, middle = (from + to) / 2;
      const next = { ArrowLeft: [from - length / 4, to - length / 4], ArrowRight: [from + length / 4, to + length / 4], "+": [middle - length / 4, middle + length / 4],
        ArrowUp: [middle - length / 4, middle + length / 4], "-": [middle - length, middle + length], ArrowDown: [middle - length, middle + length],
        Home: [data.now - 24 * hour, data.now], End: null, Escape: null }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      look(next);
    });
  }
  for (const b of all("[data-range]")) b.addEventListener("click", () => look(b.dataset.range === "1" ? null : [data.now - 24 * hour, data.now]));

  let width = innerWidth;
  addEventListener("resize", () => { if (width !== innerWidth) { width = innerWidth; draw(); } });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  document.addEventListener("live:shown", (event) => {
    if (event.detail !== "o-data") return;
    const before = data, stuck = data.stuck;
    data = read() || before;
    if (data.stuck !== stuck) draw(); else look(span);
  });
  (document.fonts ? document.fonts.ready : Promise.resolve()).then(draw);
})();
