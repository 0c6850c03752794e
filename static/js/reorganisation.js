// A reorganisation: which fields a new plan needs, and how far the applying of one has come.

document.addEventListener("change", (event) => {
  const files = document.getElementById("plan-files");
  if (files && event.target.name === "source") files.hidden = event.target.value !== "upload";
});

// A link to a part of the preview opens it.
function openPart() {
  const part = location.hash && document.getElementById(location.hash.slice(1));
  if (part?.tagName === "DETAILS") part.open = true;
}
window.addEventListener("hashchange", openPart);
openPart();

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
