// The token against forged requests goes along as a header, never as a field.

const meta = () => document.querySelector('meta[name="csrf-token"]');

export const csrfToken = () => meta()?.content ?? "";

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
