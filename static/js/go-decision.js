// Go or no-go on a page that watches a meeting: `<div data-go-decision="{meeting id}">` holds what was
// decided, and is fetched anew when somebody decides.

// With `data-fetch` it is fetched as soon as the page is there, where the page did not bring it along.

const renew = () => fetchInto("[data-go-decision]");

async function fetchInto(places) {
  for (const place of document.querySelectorAll(places)) {
    try {
      const answer = await fetch(`/meetings/${place.dataset.goDecision}/decision`, {
        headers: { accept: "text/html", "x-enhanced": "part" },
      });
      if (answer.ok) place.innerHTML = await answer.text();
    } catch {
      // Without a network it stays as it is; it is renewed when the line is back.
    }
  }
}

document.addEventListener("live:notice:decision", renew);
document.addEventListener("live:again", renew);
fetchInto("[data-go-decision][data-fetch]");
