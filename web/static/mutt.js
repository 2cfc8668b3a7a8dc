// The console's own script: keys, theme, clock, and the token that htmx's writes bring. Pages are read without it.
"use strict";
(() => {
  const root = document.documentElement;
  const one = (selector) => document.querySelector(selector);
  const wire = (selector, act) => {
    const element = one(selector);
    if (element) element.addEventListener("click", () => act(element));
  };

  // Clipboards exist over TLS and on loopback only; elsewhere a selection is copied.
  const copy = async (text) => {
    if (navigator.clipboard) { await navigator.clipboard.writeText(text); return; }
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "sr";
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  };

  wire("#theme", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    document.cookie = `mutt_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
  });
  wire("#help", () => one("#keys").showModal());
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-show]");
    if (!button) return;
    const field = document.getElementById(button.getAttribute("aria-controls"));
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.textContent = shown ? "Show" : "Hide";
    button.setAttribute("aria-pressed", String(!shown));
    field.focus();
  });
  wire("#copy", async (button) => {
    await copy(location.href);
    button.firstChild.data = "Copied ";
    setTimeout(() => { button.firstChild.data = "Copy link "; }, 2000);
  });

  // A click copies a value as it is shown: what could not be seen does not get into a clipboard.
  document.addEventListener("click", async (event) => {
    const value = event.target.closest("[data-copy]");
    if (!value || !getSelection().isCollapsed) return;
    await copy(value.textContent);
    value.dataset.done = "";
    setTimeout(() => { delete value.dataset.done; }, 2000);
  });

  // The clock shows the server's time, whatever the browser's says.
  const clock = one("#clock");
  if (clock) {
    const ahead = Date.parse(clock.dateTime) - Date.now();
    setInterval(() => {
      one("#time").textContent = new Date(Date.now() + ahead).toISOString().slice(11, 19);
    }, 1000);
  }

  document.addEventListener("htmx:configRequest", (event) => {
    const token = one("meta[name=csrf-token]");
    if (token) event.detail.headers["X-CSRF-Token"] = token.content;
  });

  // A dialog that an answer brings opens over the page; when it closes, it goes, and the focus returns to where it was.
  const overlay = one("#overlay");
  let opener = null;
  document.addEventListener("htmx:beforeRequest", (event) => { if (!overlay || !overlay.contains(event.detail.elt)) opener = document.activeElement; });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, target } = event.detail;
    if (xhr.status < 400 || !target.matches("#overlay, #matches, #refusal, #toasts") || /^\s*<!doctype/i.test(xhr.response)) return;
    event.detail.shouldSwap = true; // it says what is wrong
    event.detail.isError = false;
  });
  // A write that no server answered: said in the dialog that it came from, over which a toast would not be seen.
  document.addEventListener("htmx:sendError", ({ detail: { target, requestConfig } }) => {
    const said = one("#no-answer");
    if (!said || requestConfig.verb === "get" || target.id === "matches") return;
    (target.id === "refusal" ? target : one("#toasts")).replaceChildren(said.content.cloneNode(true));
  });
  document.addEventListener("htmx:beforeOnLoad", () => { for (const said of document.querySelectorAll(".no-answer")) said.remove(); });
  document.addEventListener("htmx:afterSettle", ({ detail: { target } }) => { // before, htmx does not know its forms yet
    if (target === overlay) {
      const dialog = overlay.querySelector("dialog[data-open]");
      if (!dialog) return;
      dialog.addEventListener("close", () => {
        dialog.remove();
        const back = opener && opener.isConnected && opener !== document.body ? opener : one("[data-do]");
        if (back) back.focus();
      });
      dialog.showModal();
    } else if (target.id === "refusal") {
      for (const error of target.querySelectorAll("[data-field]")) {
        const place = document.getElementById(`${error.dataset.field}-err`), field = document.getElementById(error.dataset.field);
        if (!place || !place.closest("dialog")) continue;
        place.textContent = error.textContent;
        place.hidden = false;
        field.setAttribute("aria-invalid", "true");
        field.focus();
      }
    } else if (target.id === "toasts") {
      const url = new URL(location.href);
      url.searchParams.delete("change");
      history.replaceState(history.state, "", url);
      let held = false, end = 0;
      const wait = () => { clearTimeout(end); end = setTimeout(() => { if (!held) target.replaceChildren(); }, 8000); };
      const hold = (value) => () => { held = value; if (!value) wait(); };
      const toast = target.firstElementChild;
      if (!toast) return;
      for (const [on, value] of [["mouseenter", true], ["focusin", true], ["mouseleave", false], ["focusout", false]]) toast.addEventListener(on, hold(value));
      wait();
    }
  });
  document.addEventListener("click", (event) => {
    const closes = event.target.closest("[data-close]");
    if (closes) closes.closest("dialog").close();
  });
  document.addEventListener("keydown", (event) => { // Ctrl Enter does what the large button says
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const button = (one("dialog[open]") || document).querySelector("[data-do]");
    if (button) { event.preventDefault(); button.click(); }
  });

  // Single keys act when no field has the focus, and can be switched off (WCAG 2.1.4). Each has a button or a link.
  const stored = () => { try { return localStorage.getItem("mutt_keys") !== "off"; } catch { return true; } };
  const single = one("#single");
  if (single) {
    single.checked = stored();
    single.addEventListener("change", () => { try { localStorage.setItem("mutt_keys", single.checked ? "on" : "off"); } catch { /* for this page only */ } });
  }
  const enabled = () => (single ? single.checked : stored());
  const move = (by) => {
    const rows = [...document.querySelectorAll("[data-row]")];
    let at = rows.indexOf(document.activeElement);
    if (at < 0) at = rows.findIndex((row) => row.closest("[aria-current]")); // the one that is shown beside the list
    const to = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
    if (to) to.focus();
  };
  let before = "";
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (event.key === "Escape" && typing && !typing.closest("dialog")) { event.target.blur(); return; }
    if ((event.key === " " || event.key === "Enter") && event.target.closest("button, a, summary")) return; // they press what has the focus
    if (event.ctrlKey || event.altKey || event.metaKey || typing || one("dialog[open]")) return;
    if (event.key !== "Escape" && !enabled()) return;
    const menu = one("details[open].who");
    if (event.key === "Escape" && menu) { menu.open = false; menu.querySelector("summary").focus(); return; }
    if (event.key === "j" || event.key === "k") { move(event.key === "j" ? 1 : -1); event.preventDefault(); return; }
    const key = event.key === " " ? "Space" : event.key;
    const sequence = before ? `${before} ${key}` : key;
    before = event.key === "g" && !before ? "g" : "";
    const target = document.querySelector(`[data-key="${CSS.escape(sequence)}"]`);
    if (!target) return;
    event.preventDefault();
    if (target.matches("input")) target.focus(); else target.click();
  });
})();
