// An OpenID Connect provider for the tests: `node provider.js`, settings as JSON on standard input.
//
//   {"port": 0, "clients": [...], "people": {"login": {"claims": {...}, "amr": [...]}}}
//
// Prints one line of JSON, {"issuer": "http://127.0.0.1:…"}, when it listens. Everybody in `people` logs in
// by name alone; nobody is asked for consent.
import http from "node:http";
import { text } from "node:stream/consumers";

import Provider from "oidc-provider";

const settings = JSON.parse(await text(process.stdin));
const server = http.createServer();
await new Promise((listening) => server.listen(settings.port, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: settings.clients,
  cookies: { keys: ["only for tests"] },
  features: {
    devInteractions: { enabled: false },
    rpInitiatedLogout: { enabled: true },
  },
  enabledJWA: { idTokenSigningAlgValues: ["RS256", "HS256"] },
  pkce: { required: () => true },
  claims: {
    openid: ["sub", "amr"],
    profile: ["name", "preferred_username"],
    email: ["email", "email_verified"],
  },
  async findAccount(_context, id) {
    const [login] = Object.entries(settings.people).find(([, person]) => person.claims.sub === id) ?? [];
    return login && { accountId: id, claims: async () => settings.people[login].claims };
  },
  async loadExistingGrant(context) {
    const grant = new context.oidc.provider.Grant({
      clientId: context.oidc.client.clientId,
      accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope("openid profile email");
    await grant.save();
    return grant;
  },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
});

const form = (uid) => `<!doctype html><html lang="vi"><meta charset="utf-8"><title>Đăng nhập cơ quan</title>
<form method="post" action="/interaction/${uid}"><h1>Đăng nhập cơ quan</h1>
<label>Tên <input name="login" autofocus></label> <button>Đăng nhập</button>
<button name="refuse" value="1">Không đồng ý</button></form></html>`;

const callback = provider.callback();
server.on("request", async (request, response) => {
  const uid = /^\/interaction\/([\w-]+)$/.exec(request.url)?.[1];
  if (!uid) return callback(request, response);
  try {
    if (request.method !== "POST") {
      response.setHeader("content-type", "text/html; charset=utf-8");
      return response.end(form(uid));
    }
    const sent = new URLSearchParams(await text(request));
    const person = settings.people[sent.get("login")];
    const result =
      sent.has("refuse") || !person
        ? { error: "access_denied", error_description: "said no" }
        : { login: { accountId: person.claims.sub, amr: person.amr } };
    await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  } catch (problem) {
    response.statusCode = 400;
    response.end(String(problem));
  }
});
console.log(JSON.stringify({ issuer }));
