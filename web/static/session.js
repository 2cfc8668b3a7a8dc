// The end of a session. The page stays with what it holds, greyed, and a login stands over it. After a login by the same person it goes on;
// after one by another person it is loaded again. The tabs of a browser share a session, so each asks when another one says so.
"use strict";
(() => {
  const others = window.BroadcastChannel ? new BroadcastChannel("mutt_session") : null;
  const dialog = document.querySelector("#ended");
  if (!dialog) { if (others) others.postMessage("ask"); return; } // the login page: a session may have ended
  const unsent = dialog.querySelector("#unsent");
  let open = false, before = null;
  const end = () => {
    if (open && dialog.open) return;
    if (!open) before = document.activeElement;
    open = true;
    dialog.showModal();
  };
  const renew = (token) => {
    const mine = document.querySelector("meta[name=csrf-token]");
    if (mine) mine.content = token;
    if (!open) return;
    open = false;
    unsent.hidden = true;
    dialog.querySelector("form").reset();
    dialog.close();
    if (before && before.isConnected) before.focus();
    document.dispatchEvent(new CustomEvent("session:renewed"));
  };
  // ask finds out whose session the browser has now.
  const ask = async () => {
    try {
      const answer = await fetch("/session", { headers: { "HX-Request": "true" }, credentials: "same-origin", cache: "no-store" });
      if (answer.status === 401) { end(); return; }
      if (!answer.ok) return;
      const { reader, token } = new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild.dataset;
      if (reader === dialog.dataset.reader) renew(token); else location.reload();
    } catch { /* the server does not answer: the page says that where it is live */ }
  };
  if (others) others.addEventListener("message", ask);
  document.addEventListener("live:ended", ask);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") ask(); });
  addEventListener("pageshow", (event) => { if (event.persisted) ask(); });

  dialog.addEventListener("cancel", (event) => event.preventDefault());
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { xhr, elt, requestConfig } = event.detail;
    if (xhr.status !== 401 || dialog.contains(elt)) return;
    event.preventDefault(); // there is nothing to show
    if (requestConfig.verb !== "get") unsent.hidden = false;
    end();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!dialog.contains(event.detail.target) || event.detail.xhr.status === 204) return;
    event.detail.shouldSwap = true; // it says what is wrong with the key
    event.detail.isError = false;
  });
  document.addEventListener("htmx:afterRequest", async (event) => {
    if (!dialog.contains(event.detail.elt) || event.detail.xhr.status !== 204) return;
    await ask();
    if (others) others.postMessage("ask");
  });
})();
