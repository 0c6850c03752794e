// The token against forged requests goes along as a header, never as a field.

const meta = () => document.querySelector('meta[name="csrf-token"]');

/** The one of the cookie holds, whatever was true when the page was made; the page's where there is none yet. */
export const csrfToken = () => /(?:^|; )meetings_csrf=([^;]*)/.exec(document.cookie)?.[1] ?? meta()?.content ?? "";

export const renewCsrfToken = (token) => {
  if (token && meta()) meta().content = token;
};

/** fetch() to this server with the token; `method` POST unless given. Does not throw on 4xx and 5xx. */
export const send = (url, options = {}) =>
  fetch(url, {
    method: "POST",
    credentials: "same-origin",
    ...options,
    headers: { "x-csrftoken": csrfToken(), ...options.headers },
  });
