// The token against forged requests goes along as a header, never as a field. The cookie holds the one that
// counts; it ends with the browser, and any answer brings a new one.

export const csrfToken = () => /(?:^|; )meetings_csrf=([^;]*)/.exec(document.cookie)?.[1] ?? "";

/** fetch() to this server with the token; `method` POST unless given. Does not throw on 4xx and 5xx. */
export async function send(url, options = {}) {
  // A page that was kept on this device opens without asking the server.
  if (!csrfToken()) await fetch("/check-in/hello", { cache: "no-store" });
  return fetch(url, {
    method: "POST",
    credentials: "same-origin",
    ...options,
    headers: { "x-csrftoken": csrfToken(), ...options.headers },
  });
}
