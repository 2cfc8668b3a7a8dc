// The find box: a combobox whose options are links that the server renders below it.
"use strict";
(() => {
  const input = document.querySelector("#find"), list = document.querySelector("#find-list");
  if (!input) return;
  let at = -1, chosen = "";
  const options = () => [...list.querySelectorAll("[role=option]")];
  const mark = (to) => {
    at = to;
    chosen = at < 0 ? "" : options()[at].href;
    options().forEach((option, i) => {
      option.setAttribute("aria-selected", String(i === at));
      if (i === at) option.scrollIntoView({ block: "nearest" });
    });
    if (at >= 0) input.setAttribute("aria-activedescendant", options()[at].id); else input.removeAttribute("aria-activedescendant");
  };
  const show = (open) => {
    list.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    mark(-1);
  };
  const typed = () => input.value.trim() !== "";
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== list) return;
    const again = options().findIndex((option) => option.href === chosen); // a late answer keeps what was chosen
    show(typed() && options().length > 0 && document.activeElement === input);
    if (!list.hidden) mark(again);
  });
  input.addEventListener("input", () => { if (typed()) mark(-1); else show(false); });
  input.addEventListener("focus", () => show(typed() && options().length > 0));
  input.form.addEventListener("submit", (event) => { // Enter opens what is chosen; without that the server decides
    if (list.hidden || at < 0) return;
    event.preventDefault();
    options()[at].click();
  });
  input.form.addEventListener("focusout", (event) => { if (!input.form.contains(event.relatedTarget)) show(false); });
  input.addEventListener("keydown", (event) => {
    const found = options();
    if (event.key === "Escape" && !list.hidden) { show(false); event.stopPropagation(); event.preventDefault(); return; }
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || !found.length) return;
    event.preventDefault();
    const from = at; // opening the list forgets it
    if (list.hidden) show(true);
    mark(from < 0 && by < 0 ? found.length - 1 : (from + by + found.length) % found.length);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    if (!input.offsetParent) { location.href = "/find"; return; } // on a phone it is a page
    input.focus();
    input.select();
  });
})();
