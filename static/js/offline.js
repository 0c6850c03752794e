// Registers the service worker and tells it which pages to keep for the time without a network.

/** The registration, or null where the browser or an insecure address has none. */
export const workerReady = register();

async function register() {
  if (!("serviceWorker" in navigator)) return null;
  try {
    await navigator.serviceWorker.register("/service-worker.js", { scope: "/", updateViaCache: "none" });
    return await navigator.serviceWorker.ready;
  } catch {
    return null; // without a network, or not allowed: the pages work as they did
  }
}

/** Keep these pages as they are now. Resolves when it is done, false where nothing can be kept. */
export async function keep(addresses) {
  const registration = await workerReady;
  if (!registration?.active) return false;
  return new Promise((resolve) => {
    const told = ({ data }) => {
      if (data?.type !== "kept" || data.addresses.join() !== addresses.join()) return;
      navigator.serviceWorker.removeEventListener("message", told);
      resolve(true);
    };
    navigator.serviceWorker.addEventListener("message", told);
    navigator.serviceWorker.startMessages();
    registration.active.postMessage({ type: "keep", addresses });
  });
}

/** Since when the page that is shown has been kept; null where it has just come from the server. */
export const keptAt = document.documentElement.dataset.kept ? new Date(document.documentElement.dataset.kept) : null;
