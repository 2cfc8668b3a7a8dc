// Events: completion of hosts, the event beside the list without a new page, and dragging over the histogram. Without it every one of these is
// a link or a field.
"use strict";
(() => {
  const one = (selector) => document.querySelector(selector);
  const field = one("#query");

  // Hosts that were seen complete host:…; other words stand in the page.
  if (field) {
    let timer, asked;
    field.addEventListener("input", () => {
      clearTimeout(timer);
      const typed = /^host:"?([^\s"]+)$/.exec(field.value);
      if (!typed) return;
      timer = setTimeout(async () => {
        if (asked) asked.abort();
        asked = new AbortController();
        try {
          const answer = await fetch(`/api/v2/events/hosts?prefix=${encodeURIComponent(typed[1])}`, { signal: asked.signal });
          if (!answer.ok) return;
          const { hosts } = await answer.json();
          document.querySelectorAll("#words option[data-seen]").forEach((option) => option.remove());
          for (const host of hosts.filter((name) => !/[\p{Cc}\p{Cf}]/u.test(name))) {
            const option = document.createElement("option");
            option.value = `host:${/[\s"]/.test(host) ? `"${host.replace(/["\\]/g, "\\$&")}"` : host}`;
            option.dataset.seen = "";
            one("#words").append(option);
          }
        } catch { /* given up for newer words, or the server is away: nothing is completed */ }
      }, 150);
    });
    field.addEventListener("keydown", (event) => {
      const chips = document.querySelectorAll(".conditions .chip");
      if (event.key === "Backspace" && field.value === "" && chips.length > 0) chips[chips.length - 1].click();
    });
  }

  // One row is in the order of Tab; j, k and the arrows move among the rest.
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const rove = (to) => rows().forEach((row) => { row.tabIndex = row === to ? 0 : -1; });
  rove(one("tr[aria-current] [data-row]") || rows()[0]);
  document.addEventListener("focusin", (event) => { if (event.target.matches("[data-row]")) rove(event.target); });
  document.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || !event.target.matches("[data-row]") || event.ctrlKey || event.altKey || event.metaKey) return;
    const all = rows();
    const to = all[all.indexOf(event.target) + by];
    if (to) to.focus();
    event.preventDefault();
  });

  const slot = one("#peek");
  const mark = (row) => {
    one("#tail-rows")?.toggleAttribute("data-reading", !!row); // the live list holds still while something is open
    document.querySelectorAll("tr[aria-current]").forEach((line) => line.removeAttribute("aria-current"));
    if (row) row.closest("tr").setAttribute("aria-current", "true");
  };
  document.addEventListener("click", async (event) => {
    if (!slot || event.ctrlKey || event.shiftKey || event.metaKey || event.altKey || event.button > 0) return;
    const close = event.target.closest("#peek [data-shut]");
    if (close) {
      event.preventDefault();
      const row = one("tr[aria-current] [data-row]");
      slot.replaceChildren();
      slot.parentElement.classList.remove("two");
      mark();
      go(close.href);
      if (row) row.focus();
      return;
    }
    const row = event.target.closest(".rows tbody tr")?.querySelector("[data-row]");
    if (!row || getSelection().type === "Range") return;
    event.preventDefault();
    row.focus();
    const whole = one("#peek [data-page]");
    if (whole && row.closest("tr").hasAttribute("aria-current")) { location.assign(whole.href); return; }
    await htmx.ajax("GET", row.getAttribute("href"), { target: "#peek", swap: "innerHTML" });
    if (!row.isConnected) return;
    mark(row);
    go(row.href);
  });
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.target === slot) location.assign(event.detail.pathInfo.requestPath);
  });
  // The address is the state. A step within the page, such as the skip link, leaves it as it is.
  const here = () => location.pathname + location.search;
  let shown = here();
  const go = (href) => { history.pushState(null, "", href); shown = here(); };
  window.addEventListener("popstate", () => { if (here() !== shown) location.reload(); });

  const own = one("details.own");
  if (own) document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !own.open) return;
    own.open = false;
    own.querySelector("summary").focus();
    event.stopImmediatePropagation();
  }, true);

  // Dragging over the histogram chooses whole steps.
  const bars = one("#bars"), drag = one("#drag");
  if (bars) {
    const steps = bars.viewBox.baseVal.width / 10;
    const stepAt = (event) => {
      const box = bars.getBoundingClientRect();
      return Math.max(0, Math.min(steps - 1, Math.floor(((event.clientX - box.left) / box.width) * steps)));
    };
    let begun = -1;
    const show = (event) => {
      const at = stepAt(event);
      const left = Math.min(begun, at), right = Math.max(begun, at) + 1;
      drag.setAttribute("x", left * 10);
      drag.setAttribute("width", (right - left) * 10);
      return [left, right];
    };
    const stop = () => { begun = -1; drag.setAttribute("width", 0); };
    bars.addEventListener("pointerdown", (event) => {
      if (event.button > 0 || event.pointerType === "touch") return; // a finger scrolls; the fields are for it
      bars.setPointerCapture(event.pointerId);
      begun = stepAt(event);
      show(event);
      event.preventDefault();
    });
    bars.addEventListener("pointermove", (event) => { if (begun >= 0) show(event); });
    bars.addEventListener("pointercancel", stop);
    bars.addEventListener("pointerup", (event) => {
      if (begun < 0) return;
      const [left, right] = show(event);
      const { from, step, end } = bars.dataset;
      const at = (n) => new Date(Math.min(Number(from) + n * Number(step), Number(end))).toISOString().replace(".000Z", "Z");
      const to = new URL(location.href);
      for (const gone of ["range", "cursor", "back", "at", "e", "live"]) to.searchParams.delete(gone);
      to.searchParams.set("from", at(left));
      to.searchParams.set("to", at(right));
      location.assign(to);
    });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && begun >= 0) stop(); });
  }
})();
