// The little that the page needs a script for. It reads no content and sends nothing anywhere.
(() => {
  "use strict";
  const THEME = "candor-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const wanted = () => localStorage.getItem(THEME) || (system.matches ? "dark" : "light");

  // Gradio puts the class "dark" on the body; the reader's choice wins over it, and over the system's.
  function paint() {
    const dark = wanted() === "dark";
    document.documentElement.classList.toggle("dark", dark);
    if (document.body && document.body.classList.contains("dark") !== dark) document.body.classList.toggle("dark", dark);
  }
  paint();
  system.addEventListener("change", paint);

  async function copy(button) {
    const label = button.querySelector("span");
    const before = label.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Copying is not allowed by the browser";
    }
    setTimeout(() => { label.textContent = before; }, 2000);
  }

  document.addEventListener("click", (event) => {
    const theme = event.target.closest("[data-theme-toggle]");
    const copied = event.target.closest("[data-copy]");
    if (theme) {
      localStorage.setItem(THEME, wanted() === "dark" ? "light" : "dark");
      paint();
    }
    if (copied) copy(copied);
    if (event.target.closest(".history [data-choose]")) event.target.closest("[popover]").hidePopover();
  });

  // An opened source begins at the words that support the sentence.
  document.addEventListener("toggle", (event) => {
    if (event.newState !== "open" || !event.target.matches(".source")) return;
    const mark = event.target.querySelector("mark");
    if (mark) event.target.scrollTop = Math.max(0, mark.offsetTop - event.target.clientHeight / 3);
  }, true);

  // The words of a source that show beside a sentence go away with Escape, until it is pointed at or focused again.
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.querySelectorAll(".said:hover, .said:focus-within").forEach((said) => said.classList.add("away"));
  });
  const again = ({target, relatedTarget}) => {
    const said = target.closest?.(".said.away");
    if (said && !said.contains(relatedTarget)) said.classList.remove("away");
  };
  addEventListener("mouseout", again);
  addEventListener("focusout", again);

  // What opens over the list of documents is left with Escape; the focus goes back to what opened it.
  const LEAVE = ["#leave-page", "#keep-aside", "#keep", "#close"];  // the one that lies on top first
  let opener = null;
  document.addEventListener("click", (event) => {
    const choice = event.target.closest(".shelf [data-choose], #use");
    if (choice) opener = {choice, before: choice.id === "use" ? opener : null};
    if (event.target.closest("#leave-page")) leavePage();
    if (!event.target.closest(LEAVE.join()) || !opener) return;
    if (opener.choice.checkVisibility()) opener.choice.focus();
    opener = opener.before;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const leave = LEAVE.map((name) => document.querySelector(name)).find((part) => part?.checkVisibility());
    if (leave?.id === "leave-page") event.preventDefault();  // the source that it lies over stays open
    leave?.click();
  });

  // The picture of a page lies over all else; what arrives for a page that is no longer wanted is not shown.
  let shower = null;
  document.addEventListener("click", (event) => {
    const paper = document.querySelector("#paper");
    const wanted = event.target.closest(".show-page");
    const sheet = event.target.closest(".sheet");
    if (wanted && paper) {
      shower = wanted;
      paper.dataset.wait = wanted.dataset.choose;
      paper.popover = "manual";
      paper.showPopover();
      document.querySelector("#leave-page").focus();
    }
    if (sheet) enlarge(sheet, event);
  });
  function leavePage() {
    document.querySelector("#paper").hidePopover();
    shower?.closest("[popover]")?.showPopover();
    shower?.focus();
  }
  function enlarge(sheet, event) {
    const place = sheet.getBoundingClientRect();
    const byKey = !event.detail;
    const across = byKey ? +sheet.dataset.across : (event.clientX - place.left) / place.width;
    const down = byKey ? +sheet.dataset.down : (event.clientY - place.top) / sheet.firstChild.clientHeight;
    const near = sheet.classList.toggle("near");
    sheet.firstChild.setAttribute("aria-pressed", near);
    const frame = sheet.closest("#paper");
    sheet.scrollLeft = across * sheet.scrollWidth - sheet.clientWidth / 2;
    const top = sheet.getBoundingClientRect().top - frame.getBoundingClientRect().top + frame.scrollTop;
    frame.scrollTop = top + down * sheet.scrollHeight - frame.clientHeight / 2;
  }
  async function drawn() {
    const paper = document.querySelector("#paper");
    if (!paper.dataset.wait || paper.querySelector(".paper").dataset.of !== paper.dataset.wait) return;
    delete paper.dataset.wait;
    if (!paper.matches(":popover-open")) return;
    paper.querySelector("#leave-page").focus();
    const sheet = paper.querySelector(".sheet");
    await sheet?.querySelector("img").decode();
    paper.scrollTop = sheet ? +sheet.dataset.down * sheet.clientHeight - paper.clientHeight / 3 : 0;
  }

  // A growing answer stays in view, unless its reader has scrolled up; afterwards the next question can be typed.
  let near = true;
  addEventListener("scroll", () => { near = innerHeight + scrollY > document.documentElement.scrollHeight - 160; });
  const question = () => document.querySelector("#question textarea");
  let asked = 0;
  function grown() {
    const turns = document.querySelectorAll(".log .turn").length;
    if (turns > asked || (near && turns)) scrollTo({top: document.documentElement.scrollHeight});
    asked = turns;
    const over = document.querySelector(".turn:last-child .answer.over");
    if (over && !over.dataset.seen) {
      over.dataset.seen = "1";
      const idle = !document.activeElement || document.activeElement === document.body;
      if (idle && question() && matchMedia("(pointer: fine)").matches) question().focus();
    }
  }

  // A record that was chosen by hand begins at its question, also where it stands below the queue.
  let choosing = false;
  document.addEventListener("click", (event) => { if (event.target.closest(".queue [data-choose], #judge")) choosing = true; });
  function opened() {
    const title = document.querySelector(".opened .record h2");
    if (!choosing || !title) return;
    choosing = false;
    title.focus({preventScroll: true});
    const top = title.closest(".record").getBoundingClientRect().top;
    if (top > innerHeight * .6 || top < 0) scrollTo({top: top + scrollY - 110});
  }

  document.addEventListener("DOMContentLoaded", () => {
    paint();
    new MutationObserver(paint).observe(document.body, {attributes: true, attributeFilter: ["class"]});
    new MutationObserver((changes) => {
      const inside = (place) => changes.some(({target}) => target.nodeType === 1 && target.closest(place));
      if (inside(".conversation")) grown();
      if (inside(".opened")) opened();
      if (inside("#paper")) drawn();
    }).observe(document.body, {childList: true, subtree: true});
  });
})();
