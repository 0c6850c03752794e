// Loaded blocking in <head>: forms are sent by script (forms.js), and on a slow device a button can be pressed
// before that script is there. Such a press is kept, and done once everything is there; sent by the browser
// itself it would come without its token, and be refused.
(() => {
  let pressed = null;
  const keep = (event) => {
    if (event.target.method !== "post") return;
    event.preventDefault();
    event.stopImmediatePropagation();
    pressed = [event.target, event.submitter];
  };
  addEventListener("submit", keep, true);
  // Modules have run by then. Where one of them failed, the browser sends the form as ever.
  addEventListener("DOMContentLoaded", () => {
    removeEventListener("submit", keep, true);
    pressed?.[0].requestSubmit(pressed[1]);
  });
})();
