// What an outage would touch, shown below its days while one types, before anything is sent.
const PAUSE = 300; // ms after the last key
const waiting = new WeakMap();

async function look(form) {
  const part = form.querySelector("[data-reach-part]");
  const asked = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (/^(from|until)_/.test(name)) asked.set(name, value);
  waiting.get(form)?.abort.abort();
  const abort = new AbortController();
  waiting.set(form, { abort });
  try {
    const answer = await fetch(`${form.dataset.reach}?${asked}`, { headers: { accept: "text/html", "x-enhanced": "part" }, signal: abort.signal });
    if (answer.ok) part.innerHTML = await answer.text();
  } catch (failure) {
    // Without an answer the server still shows what is touched, before it takes the form.
    if (failure.name !== "AbortError" && !(failure instanceof TypeError)) throw failure;
  }
}

function soon(event) {
  const form = event.target.closest?.("form[data-reach]");
  if (!form || !/^(from|until)_/.test(event.target.name ?? "")) return;
  clearTimeout(waiting.get(form)?.timer);
  waiting.set(form, { abort: waiting.get(form)?.abort ?? new AbortController(), timer: setTimeout(() => look(form), PAUSE) });
}

document.addEventListener("input", soon);
document.addEventListener("change", soon);
document.addEventListener("toggle", (event) => {
  const form = event.target.open ? event.target.querySelector?.("form[data-reach]") : null;
  if (form && !form.querySelector("[name=seen]")) look(form);
}, true);
// What is typed first: the form that stands open begins with what its first days touch.
for (const form of document.querySelectorAll("form[data-reach]")) {
  const first = () => form.querySelector("[name=seen]") || look(form);
  if (form.contains(document.activeElement)) first(); // somebody was quicker than this script
  else form.addEventListener("focusin", first, { once: true });
}
