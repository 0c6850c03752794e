// A reorganisation: which fields a new plan needs, and how far the applying of one has come.

const source = document.querySelector('#plan-form [name="source"]');
const files = document.getElementById("plan-files");
const day = document.getElementById("field-day");

function show() {
  files.hidden = source.value !== "upload";
  // A shipped plan names the day it was made for; the field stays free.
  const named = /(\d{4}-\d{2}-\d{2})$/.exec(source.value);
  if (named && !day.value && named[1] >= day.min) day.value = named[1];
}

if (source) {
  source.addEventListener("change", show);
  show();
}

const run = document.querySelector("[data-run]");

async function look() {
  try {
    const answer = await fetch(run.dataset.run, { headers: { accept: "text/html", "x-enhanced": "part" } });
    if (answer.status === 401) return location.reload();
    if (answer.ok) {
      // Markup of our own server, escaped there; scripts in it would not run.
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const now = page.getElementById("run");
      if (!now.hasAttribute("data-running")) return location.reload();
      document.getElementById("run").replaceWith(document.importNode(now, true));
    }
  } catch {
    // The line is cut, or the server is restarting: the next look tells.
  }
  setTimeout(look, run.dataset.every * 1000);
}

if (run) setTimeout(look, run.dataset.every * 1000);
