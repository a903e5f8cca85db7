// The pages' few lines: follow new reports without reloading, copy a command, ask before what cannot be undone. Everything
// works without them; then a page is as old as its last loading.
"use strict";

(() => {
  const status = () => document.getElementById("live");
  const say = (word) => {
    const place = status();
    if (place) place.textContent = place.dataset[word] || "";
  };

  // ---- Follow -------------------------------------------------------------------------------------------------------
  let main = document.getElementById("main");
  let touched = false; // somebody is filling in a form of this page
  let fetching = false;
  let again = false;

  const busy = () => touched || (main.contains(document.activeElement) && /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName));

  const offer = () => {
    const place = status();
    if (!place || place.querySelector("button")) return;
    place.textContent = place.dataset.waiting + " ";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = place.dataset.show;
    button.addEventListener("click", () => { touched = false; refresh(true); });
    place.append(button);
  };

  const swap = (fresh) => {
    const open = new Map([...main.querySelectorAll("details[id]")].map((item) => [item.id, item.open]));
    const kept = [...main.querySelectorAll("[data-keep]")];
    const focused = document.activeElement && main.contains(document.activeElement) ? document.activeElement.id : "";
    const across = window.scrollX, down = window.scrollY;
    const next = document.importNode(fresh, true);
    for (const item of next.querySelectorAll("details[id]")) if (open.has(item.id)) item.open = open.get(item.id);
    for (const item of kept) if (item.id && !next.querySelector("#" + CSS.escape(item.id))) next.prepend(item);
    main.replaceWith(next);
    main = next;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    window.scrollTo(across, down);
    say("updated");
  };

  const refresh = (asked) => {
    if (!asked && busy()) return offer();
    if (fetching) { again = true; return; }
    fetching = true;
    // A document request: the browser parses the answer without running it, and no text is ever turned into markup here.
    const request = new XMLHttpRequest();
    request.responseType = "document";
    request.open("GET", location.href);
    request.setRequestHeader("x-following", "1");
    request.timeout = 30000;
    request.onloadend = () => {
      fetching = false;
      const fresh = request.response && request.response.getElementById("main");
      if (request.status === 200 && fresh && fresh.dataset.events) swap(fresh);
      else if (request.status === 200 || request.status === 401) location.reload();
      else say("off");
      if (again) { again = false; refresh(false); }
    };
    request.send();
  };

  const follow = () => {
    const source = new EventSource(main.dataset.events);
    let broken = false;
    source.addEventListener("open", () => {
      say("on");
      if (broken) refresh(false); // whatever happened meanwhile
      broken = false;
    });
    source.addEventListener("changed", () => refresh(false));
    source.addEventListener("ended", () => { source.close(); location.reload(); });
    source.addEventListener("error", () => {
      broken = true;
      say("off");
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      window.setTimeout(() => { refresh(false); follow(); }, 15000);
    });
  };

  if (main && main.dataset.events) follow();

  // ---- Forms --------------------------------------------------------------------------------------------------------
  document.addEventListener("input", (event) => { if (main && main.contains(event.target)) touched = true; });
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  // ---- Copy ---------------------------------------------------------------------------------------------------------
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(source);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      document.execCommand("copy");
    }
    button.textContent = button.dataset.copied;
  });
})();
