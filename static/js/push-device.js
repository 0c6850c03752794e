// Lets this browser be pushed to: asks its person, subscribes at the browser's push service, tells the server.
import { send } from "./csrf.js";
import { t } from "./i18n.js";
import { say } from "./messages.js";

const box = document.querySelector("[data-push-key]");
const button = box?.querySelector("[data-allow]");
const state = box?.querySelector("[data-push-state]");

const bytes = (text) => {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
};

const tell = (name) => {
  state.textContent = t(name);
};

const sameKey = (subscription, key) => {
  const held = subscription.options.applicationServerKey;
  return held && new Uint8Array(held).every((value, place) => value === key[place]);
};

const subscribe = async () => {
  const worker = await navigator.serviceWorker.register("/service-worker.js");
  await navigator.serviceWorker.ready;
  const key = bytes(box.dataset.pushKey);
  const before = await worker.pushManager.getSubscription();
  if (before && !sameKey(before, key)) await before.unsubscribe();
  return worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
};

const allow = async () => {
  button.disabled = true;
  try {
    if ((await Notification.requestPermission()) !== "granted") {
      tell("push.denied");
      return;
    }
    const { endpoint, keys } = (await subscribe()).toJSON();
    const answer = await send(location.pathname, {
      body: new URLSearchParams({ endpoint, ...keys }),
      headers: { accept: "application/json" },
    });
    if (answer.ok) location.reload();
    else say("danger", (await answer.json().catch(() => null))?.detail ?? t("action.failed"));
  } catch {
    tell("push.failed");
  } finally {
    button.disabled = false;
  }
};

if (box) {
  const able = window.isSecureContext && "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
  if (!window.isSecureContext) tell("push.insecure");
  else if (!able) tell("push.unable");
  else if (Notification.permission === "denied") tell("push.denied");
  button.hidden = !able;
  button.addEventListener("click", allow);
}
