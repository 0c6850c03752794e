/* The part of the service worker that shows what the server pushes, and opens it at a click. */
(() => {
  const told = (event) => {
    try {
      return event.data.json();
    } catch {
      return null;
    }
  };

  // Only pages of this server are opened, whatever the message says.
  const address = (path) => {
    const found = new URL(typeof path === "string" ? path : "/notices", self.location.origin);
    return found.origin === self.location.origin ? found.href : `${self.location.origin}/notices`;
  };

  const show = async (message) => {
    await self.registration.showNotification(message.title, {
      body: message.text,
      tag: message.tag,
      lang: message.language,
      timestamp: message.at,
      icon: "/static/favicon.svg",
      data: { path: message.path },
    });
    for (const page of await self.clients.matchAll({ type: "window" })) page.postMessage({ type: "notice" });
  };

  self.addEventListener("push", (event) => {
    const message = told(event);
    if (message?.title) event.waitUntil(show(message));
  });

  const open = async (href) => {
    const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    const there = pages.find((page) => page.url === href);
    // What is being typed elsewhere is left alone: another page gets a window of its own.
    return there ? there.focus() : self.clients.openWindow(href);
  };

  self.addEventListener("notificationclick", (event) => {
    event.notification.close();
    event.waitUntil(open(address(event.notification.data?.path)));
  });
})();
