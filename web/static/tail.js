// The live list of judged events. While somebody reads, what comes waits and is counted, and nothing moves.
"use strict";
(() => {
  const one = (selector) => document.querySelector(selector);
  const list = one("#tail-rows"), bar = one("#tail-bar"), newer = one("#tail-newer"), toggle = one("#tail-pause");
  if (!list) return;
  const most = 500;
  let paused = false, fit = -1, came = 0, waiting = [], words = "", told = 0;

  const reads = () => {
    const chosen = getSelection();
    return list.dataset.reading !== undefined || list.matches(":hover") || list.contains(document.activeElement) || scrollY > 8 ||
      (!chosen.isCollapsed && chosen.containsNode(list, true));
  };
  const here = new URLSearchParams(location.search);
  // keepRange leads from a row, which all pages of this query get, to its event in the range of this page.
  const keepRange = (row) => {
    const link = row.querySelector("a[href]");
    if (!link) return;
    const to = new URL(link.getAttribute("href"), location.href);
    for (const name of ["range", "from", "to"]) if (here.has(name)) to.searchParams.set(name, here.get(name));
    link.setAttribute("href", to.pathname + to.search);
  };
  const say = () => {
    const still = paused || reads();
    bar.classList.toggle("is-paused", still);
    one("#tail-state").textContent = paused ? "Live view is paused" : still ? "Live view is paused while you read" : "Live";
    one("#tail-words").textContent = still ? "" : words;
    newer.hidden = !still || came === 0;
    const text = `${came.toLocaleString("en")} newer event${came === 1 ? "" : "s"}`;
    newer.querySelector("span").textContent = text;
    if (!newer.hidden && Date.now() - told > 10000) { one("#tail-said").textContent = text; told = Date.now(); }
  };
  const show = () => {
    for (const row of waiting.reverse()) { // the ids are in the order of receipt
      let at = list.firstElementChild;
      while (at && at.id > row.id) at = at.nextElementSibling;
      list.insertBefore(row, at);
    }
    while (list.children.length > most) list.lastElementChild.remove();
    waiting = [];
    came = 0;
  };
  const settle = () => { if (!paused && !reads()) show(); say(); };

  document.addEventListener("live:tail", (event) => {
    event.preventDefault();
    const news = event.detail.querySelector("#tail-new");
    words = event.detail.querySelector("#tail-words").textContent;
    const rows = [...news.children].filter((row) => !document.getElementById(row.id) && !waiting.some((w) => w.id === row.id));
    if (news.dataset.whole !== undefined && list.childElementCount > 0 && rows.length > 0 && rows.length === news.childElementCount) {
      waiting = []; // much was missed
      if (!paused && !reads()) list.replaceChildren();
    }
    const now = Number(news.dataset.fit);
    came += fit >= 0 && now >= fit ? Math.max(now - fit, rows.length) : rows.length;
    fit = now;
    rows.forEach(keepRange);
    waiting = [...rows, ...waiting].slice(0, most);
    settle();
  });
  document.addEventListener("live:paused", (event) => {
    paused = event.detail;
    toggle.setAttribute("aria-pressed", String(paused));
    toggle.querySelector("span").textContent = paused ? "Go on" : "Pause";
    settle();
  });
  toggle.addEventListener("click", () => one("#live").click());
  newer.addEventListener("click", () => { show(); scrollTo(0, 0); say(); });
  for (const name of ["mouseenter", "mouseleave", "focusin", "focusout"]) list.addEventListener(name, () => setTimeout(settle));
  document.addEventListener("selectionchange", settle);
  addEventListener("scroll", settle, { passive: true });
})();
