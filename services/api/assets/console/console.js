"use strict";
// Makes pages handier that work without it. It asks this host alone, and keeps nothing.
//
// data-copy="#id"          on a button: copies the text of that element.
// data-live="5"            on an element with an id: every so many seconds the page is asked for again, and the
//                          element replaced, until it comes without data-live.
// data-select-all="name"   on a checkbox: ticks all checkboxes of that name in its form or table.
// data-confirm="sentence"  on a form or a button that sends one: asks again in a dialog, whose button
//                          `dialog [value=yes]` sends it.
// data-submit-on-change    on a select: choosing with the pointer sends the form.
// data-local               on a time: tells it in the zone of whoever reads it, too.

(() => {
  const each = (root, css, what) => root.querySelectorAll(css).forEach(what);

  // What is told to screen readers when nothing else would be.
  const said = document.createElement("p");
  said.className = "unseen";
  said.setAttribute("role", "status");
  document.body.append(said);

  async function copy(button) {
    const element = document.querySelector(button.dataset.copy);
    if (!element) return;
    const text = (element.value ?? element.textContent).trim();
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Not allowed here: it is marked, so that the keyboard copies it.
      getSelection().selectAllChildren(element);
      done = document.execCommand("copy");
    }
    const before = button.dataset.words ?? button.textContent;
    button.dataset.words = before;
    button.textContent = said.textContent = done ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = before; said.textContent = ""; }, 2000);
  }

  function boxes(all) {
    const within = all.form ?? all.closest("table, form") ?? document;
    const found = within.querySelectorAll(`input[type=checkbox][name="${CSS.escape(all.dataset.selectAll)}"]`);
    return [...found].filter((box) => !box.disabled);
  }

  function showWhole(all) {
    const ticked = boxes(all).filter((box) => box.checked).length;
    all.checked = ticked > 0 && ticked === boxes(all).length;
    all.indeterminate = ticked > 0 && !all.checked;
  }

  function ask(form, sender, sentence) {
    const dialog = document.createElement("dialog");
    const text = Object.assign(document.createElement("p"), { textContent: sentence, id: "confirm-text" });
    const yes = Object.assign(document.createElement("button"), { value: "yes", type: "button", className: "danger" });
    yes.textContent = sender?.textContent.trim() || "Go on";
    const no = Object.assign(document.createElement("button"), { value: "no", type: "button", textContent: "Cancel" });
    const actions = Object.assign(document.createElement("div"), { className: "actions" });
    actions.append(no, yes);
    dialog.setAttribute("aria-labelledby", text.id);
    dialog.append(text, actions);
    document.body.append(dialog);
    no.addEventListener("click", () => dialog.close());
    yes.addEventListener("click", () => {
      form.dataset.confirmed = "yes";
      dialog.close();
      form.requestSubmit(sender);
    });
    dialog.addEventListener("close", () => { dialog.remove(); sender?.focus(); });
    dialog.showModal();
  }

  // Where somebody works in a part of the page, it is not taken from under their hands.
  function isBusy(element) {
    const selection = getSelection();
    const marked = !selection.isCollapsed && element.contains(selection.anchorNode);
    const typing = element.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
    return document.hidden || marked || typing || document.querySelector("dialog[open]");
  }

  // What was opened stays open, what was scrolled stays there, and the keyboard is where it was.
  function replace(old, fresh) {
    const same = (css, keep) => {
      const others = fresh.querySelectorAll(css);
      old.querySelectorAll(css).forEach((it, place) => others[place] && keep(it, others[place]));
    };
    same("details", (it, next) => { next.open = it.open; });
    const all = [...old.querySelectorAll("a, button, summary, [tabindex]")];
    const focused = all.indexOf(document.activeElement);
    const scrolled = [...old.querySelectorAll(".scroll")].map((it) => [it.scrollLeft, it.scrollTop]);
    old.replaceWith(fresh);
    fresh.querySelectorAll(".scroll").forEach((it, place) => {
      if (scrolled[place]) [it.scrollLeft, it.scrollTop] = scrolled[place];
    });
    prepare(fresh);
    if (focused >= 0) fresh.querySelectorAll("a, button, summary, [tabindex]")[focused]?.focus({ preventScroll: true });
  }

  // There is no news for now. The styles say so to whoever sees the page.
  function isLate(element) {
    if ("late" in element.dataset) return;
    element.dataset.late = said.textContent = "No answer for now. This is how it was; it is asked for again.";
  }

  function follow(element) {
    const wait = Math.max(1, Number(element.dataset.live) || 5) * 1000;
    setTimeout(async () => {
      const old = document.getElementById(element.id);
      if (!old?.dataset.live) return;
      if (isBusy(old)) return follow(old);
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById(old.id);
        if (answer.ok && fresh) {
          replace(old, document.adoptNode(fresh));
          return;
        }
        // Signed out meanwhile: the way leads to the sign-in.
        if (answer.redirected) return location.reload();
        isLate(old);
      } catch {
        isLate(old);
      }
      follow(old);
    }, wait);
  }

  const SCROLLING = ".scroll, pre.code";

  // What scrolls can be scrolled by the keyboard, and what does not is no stop on its way: also once it, what is in
  // it, or the window has another size.
  const sizes = new ResizeObserver((changed) => {
    new Set(changed.map(({ target }) => target.closest(SCROLLING))).forEach((it) => it && fit(it));
  });

  function fit(it) {
    const scrolls = it.scrollWidth > it.clientWidth || it.scrollHeight > it.clientHeight;
    if (scrolls === it.hasAttribute("tabindex") || it === document.activeElement) return;
    if (scrolls) {
      it.tabIndex = 0;
      if (it.hasAttribute("role")) return;
      it.setAttribute("role", "group");
      it.setAttribute("aria-label", it.querySelector("caption")?.textContent.trim() || "Scrollable");
    } else {
      it.removeAttribute("tabindex");
      if (it.getAttribute("role") !== "group") return;
      it.removeAttribute("role");
      it.removeAttribute("aria-label");
    }
  }

  // Also of what came later. `root` itself may be such an element.
  function prepare(root) {
    const found = (css, what) => {
      if (root.matches?.(css)) what(root);
      each(root, css, what);
    };
    found("[data-live]", (it) => { if (it.id) follow(it); });
    found("[data-select-all]", showWhole);
    found("time[data-local]", (it) => {
      const at = new Date(it.dateTime);
      if (Number.isNaN(at.getTime())) return;
      const here = at.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "long" });
      if (!it.title.includes(here)) it.title = it.title ? `${it.title}\nHere: ${here}` : here;
    });
    found(SCROLLING, (it) => {
      fit(it);
      sizes.observe(it);
      each(it, ":scope > *", (inside) => sizes.observe(inside));
    });
  }

  let byPointer = false;
  document.addEventListener("pointerdown", () => { byPointer = true; }, true);
  document.addEventListener("keydown", () => { byPointer = false; }, true);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    each(document, "details.menu[open]", (it) => { if (!it.contains(event.target)) it.open = false; });
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    each(document, "details.menu[open]", (it) => { it.open = false; it.querySelector("summary").focus(); });
  });

  document.addEventListener("change", (event) => {
    const it = event.target;
    if (it.matches("[data-select-all]")) boxes(it).forEach((box) => { box.checked = it.checked; });
    if (it.matches("input[type=checkbox]")) each(document, "[data-select-all]", showWhole);
    if (it.matches("[data-submit-on-change]") && byPointer) it.form.requestSubmit();
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const sentence = event.submitter?.dataset.confirm ?? form.dataset.confirm;
    if (!sentence) return;
    if (form.dataset.confirmed) {
      delete form.dataset.confirmed;
      return;
    }
    event.preventDefault();
    ask(form, event.submitter, sentence);
  });

  prepare(document);
})();
