// The pages' few lines: follow new reports without reloading, keep one's turn at the login, copy a command, ask before what
// cannot be undone. Everything works without them; then a page is as old as its last loading, and who waits to log in tries again.
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

  // ---- Log in -------------------------------------------------------------------------------------------------------
  // The server draws those who wait for a check by lot, and under attack a connection may be closed. So that nobody has to type the
  // password again for that, the page sends the form again until it is answered.
  const LONGEST_WAIT = 60; // seconds; who must wait longer has made mistakes of their own, and is shown the server's page

  const lock = (form, locked) => { for (const field of form.elements) field.readOnly = locked; };

  const show = (page) => {
    document.title = page.title;
    document.body = document.importNode(page.body, true);
    main = document.getElementById("main");
    (main.querySelector("[autofocus]") || main).focus();
  };

  const logIn = (form, turn) => {
    const sent = new URLSearchParams(new FormData(form));
    let broken = false;
    const tell = (word) => { if (turn.textContent !== turn.dataset[word]) turn.textContent = turn.dataset[word]; };
    const enter = (url) => {
      form.reset(); // nobody who goes back finds the password
      lock(form, false);
      turn.textContent = "";
      location.assign(url);
    };
    const attempt = () => {
      const request = new XMLHttpRequest();
      request.responseType = "document";
      request.open("POST", form.action);
      request.timeout = 60000; // the server lets an attempt wait for 30 s
      request.onloadend = () => {
        const wait = Number(request.getResponseHeader("retry-after"));
        if (request.responseURL && request.responseURL !== form.action) {
          enter(request.responseURL); // redirected: the password was right
        } else if (request.status === 429 && wait >= 1 && wait <= LONGEST_WAIT) {
          tell("waiting");
          window.setTimeout(attempt, wait * 1000);
        } else if (!request.response) {
          broken = true;
          tell("broken");
          window.setTimeout(attempt, 1000);
        } else if (broken && request.status === 403) {
          // The token of the form has gone: most likely an attempt succeeded and the page behind it did not arrive.
          enter(form.action + "?" + new URLSearchParams({ next: sent.get("next") }));
        } else {
          show(request.response);
        }
      };
      request.send(sent);
    };
    main.querySelector(".error")?.remove();
    lock(form, true);
    tell("sending");
    attempt();
  };

  document.addEventListener("submit", (event) => {
    const turn = event.target.querySelector("#turn");
    if (!turn) return;
    event.preventDefault();
    if (!turn.textContent) logIn(event.target, turn); // else the form is on its way
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted && document.getElementById("turn")) location.reload(); });

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
