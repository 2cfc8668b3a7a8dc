// The list of rules: Shift j and Shift k on a row propose a priority, and the review of that opens.
"use strict";
document.addEventListener("keydown", (event) => {
  const row = event.target.closest("[data-row]");
  const values = row && { J: row.dataset.down, K: row.dataset.up }[event.key];
  const single = document.querySelector("#single");
  if (!values || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]") || (single && !single.checked)) return;
  event.preventDefault();
  event.stopPropagation(); // the buttons beside the list are for the rule that stands there
  htmx.ajax("POST", "/rules/review", { source: row, target: "#overlay", values: JSON.parse(values) });
}, true);
