// The editor of a rule: keeps the draft in the tab, brings errors to their fields, and pins matches as examples.
"use strict";
(() => {
  const form = document.querySelector("#rule");
  const one = (selector) => document.querySelector(selector);
  const key = `mutt_draft:${location.pathname}${form.dataset.id === "0" ? location.search : ""}`;
  const hidden = ["editor", "id", "revision", "base"];
  const list = one("#example-list");

  const entries = () => [...new FormData(form)].filter(([name]) => !hidden.includes(name));
  const started = JSON.stringify(entries());
  const changed = () => JSON.stringify(entries()) !== started;
  const store = (act) => { try { return act(sessionStorage); } catch { return null; } };
  const forget = () => { leaving = true; store((s) => s.removeItem(key)); };
  let leaving = false;

  const add = (name, text, wins) => {
    const template = one(`#new-${name}`);
    if (!template) return null;
    const row = template.content.cloneNode(true).firstElementChild;
    row.querySelector("textarea").value = text;
    list.append(row);
    return row;
  };
  const edited = () => form.dispatchEvent(new Event("input", { bubbles: true }));

  // visible shows control characters and those that turn text, as the server does.
  const visible = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (c) => `‹U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);
  const show = () => {
    const name = one("#name").value.trim();
    one("#rule-title").textContent = visible(name) || "New rule";
    one("#unsaved").hidden = form.dataset.id !== "0" && !changed();
  };
  form.addEventListener("input", () => {
    show();
    store((s) => (changed() ? s.setItem(key, JSON.stringify({ revision: form.elements.revision.value, base: form.elements.base.value, entries: entries() })) : s.removeItem(key)));
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); one("#review-button").click(); });
  window.addEventListener("beforeunload", (event) => { if (!leaving && changed()) event.preventDefault(); });
  one("#discard").addEventListener("click", forget);

  // A draft that was left in this tab is offered again.
  const kept = store((s) => s.getItem(key));
  if (kept && JSON.stringify(JSON.parse(kept).entries) !== started) {
    one("#kept").hidden = false;
    one("#kept-take").addEventListener("click", () => {
      const { revision, base, entries: values } = JSON.parse(kept);
      form.elements.revision.value = revision; // a change by somebody else in the meantime is a conflict
      form.elements.base.value = base;
      const examples = ["example", "not_example", "expect_message", "expect_rule"];
      const old = [...list.children].filter((row) => !row.querySelector("[name=expect_message]"));
      old.forEach((row) => row.remove());
      for (const [name, value] of values) {
        if (name === "example" || name === "not_example") { if (value) add(name, value); continue; }
        if (examples.includes(name)) continue;
        const field = form.elements[name];
        if (!field) continue;
        if (name === "is_active") { one("#is_active").checked = value === "true"; continue; }
        field.value = value;
      }
      one("#kept").hidden = true;
      edited();
    });
    one("#kept-drop").addEventListener("click", () => { store((s) => s.removeItem(key)); one("#kept").hidden = true; });
  }

  document.addEventListener("click", (event) => {
    const adds = event.target.closest("[data-add]");
    if (adds) { add(adds.dataset.add, "").querySelector("textarea").focus(); return; }
    const removes = event.target.closest("[data-remove]");
    if (removes) {
      const row = removes.closest("li");
      const next = row.nextElementSibling || row.previousElementSibling;
      row.remove();
      (next ? next.querySelector("textarea") : one("[data-add]")).focus();
      edited();
      return;
    }
    const pins = event.target.closest("[data-pin]");
    if (pins) { pin(pins.closest("[data-example]")); return; }
    const group = event.target.closest("[data-group]");
    if (group) {
      const field = one("#signature");
      field.value = (field.value || "{{hostname}}::") + `{{${group.dataset.group}}}`;
      field.focus();
      edited();
      return;
    }
    if (event.target.closest("[data-forget]")) forget();
  });
  const pin = (row) => {
    const text = row.dataset.example;
    if (![...form.querySelectorAll("[name=example]")].some((field) => field.value === text)) { add("example", text); edited(); }
    one("#pinned").textContent = "Pinned as an example.";
  };
  document.addEventListener("keydown", (event) => {
    const row = event.target.closest("[data-example]");
    if (row && event.key === "p" && !event.ctrlKey && !event.metaKey && !event.altKey && event.target.tagName !== "TEXTAREA" && event.target.tagName !== "INPUT" && (!one("#single") || one("#single").checked)) pin(row);
  });

  // Errors come with an answer and go to their fields: those of the whole form with the matches, one dialog's with its refusal.
  const mark = (errors) => {
    for (const place of form.querySelectorAll(".err")) { place.hidden = true; place.textContent = ""; }
    for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
    let first = null;
    for (const error of errors) {
      const name = error.dataset.field, place = document.getElementById(`${name}-err`), field = document.getElementById(name);
      if (!place) continue;
      place.textContent = error.textContent;
      place.hidden = false;
      if (field) { field.setAttribute("aria-invalid", "true"); const folded = field.closest("details"); if (folded) folded.open = true; }
      first = first || field;
    }
    return first;
  };
  let held = null; // the number of the match that has the focus while the matches are replaced
  document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
    if (target.id === "matches") held = target.contains(document.activeElement) ? [...target.querySelectorAll("[data-row]")].indexOf(document.activeElement.closest("[data-row]")) : null;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const target = event.detail.target;
    if (target.id === "matches") {
      if (held !== null) (target.querySelectorAll("[data-row]")[Math.max(0, held)] || one("#review-button")).focus();
      held = null;
      mark(target.querySelectorAll("[data-errors] [data-field]"));
      for (const id of ["groups", "signature-shown"]) {
        const said = target.querySelector(`[data-for="${id}"]`);
        if (said) one(`#${id}`).replaceChildren(...said.childNodes); else one(`#${id}`).replaceChildren();
      }
    } else if (target.id === "overlay" || target.id === "refusal") {
      const errors = target.querySelectorAll("[data-errors] [data-field]");
      if (!errors.length || errors[0].dataset.field === "why") return;
      const dialog = target.closest("dialog");
      if (dialog) dialog.close();
      const first = mark(errors);
      if (first) first.focus();
    }
  });
  document.addEventListener("htmx:beforeOnLoad", (event) => { if (event.detail.xhr.getResponseHeader("HX-Redirect")) forget(); });
  show();
})();
