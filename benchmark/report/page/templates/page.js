// One figure of a kind at a time; the contents mark the section in sight; paper shows everything.
(() => {
  "use strict";
  for (const kind of document.querySelectorAll(".kind")) {
    const figures = [...kind.querySelectorAll(".plot")], buttons = [...kind.querySelectorAll("button")];
    if (!buttons.length) continue;
    const show = (n) => {
      figures.forEach((figure, k) => { figure.hidden = k !== n; });
      buttons.forEach((button, k) => button.setAttribute("aria-pressed", k === n));
    };
    buttons.forEach((button, n) => button.addEventListener("click", () => show(n)));
    kind.querySelector(".choice").hidden = false;
    show(0);
  }

  const links = new Map();
  for (const link of document.querySelectorAll(".contents a")) {
    const target = document.getElementById(link.hash.slice(1));
    if (target) links.set(target, link);
  }
  const targets = [...links.keys()];
  function update() {
    let current = null;
    for (const target of targets) {
      if (target.getBoundingClientRect().top < 140) current = target;
    }
    for (const [target, link] of links) {
      if (target === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; update(); });
  }, { passive: true });
  update();
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });
})();
