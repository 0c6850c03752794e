// The test page of this device: what the browser sees, hears, plays and reaches, each with a verdict and
// with what to do about it. Picture and sound stay here; only verdicts and figures can be attached.
import { csrfToken, send } from "./csrf.js";
import { t } from "./i18n.js";
import { Busy, download, liveLine, roundTrips, upload } from "./line-speed.js";
import { icon, notice } from "./messages.js";

const WATCHED = 1500;
const LISTENED = 4000;
const DARK = 12;
const FLAT = 2;
const HEARD = -45;
const HARDLY = -58;
const SILENCE = -60;
const TONE = 0.9;
const SIGNS = { good: "check", weak: "alert-triangle", bad: "x", skipped: "clock", running: "hourglass" };
const COLOURS = { good: "tag-green", weak: "tag-amber", bad: "tag-red" };

// Good needs all of the first, weak all of the second: a meeting room sends and gets about 2 Mbit/s.
const LIMITS = {
  download_mbits: [4, 1.5],
  upload_mbits: [2, 0.8],
  round_trip_ms: [150, 400],
  jitter_ms: [40, 120],
};

const island = JSON.parse(document.getElementById("self-test-data").textContent);
const at = (id) => document.getElementById(id);
const part = (name) => document.querySelector(`[data-part=${name}]`);
const verdicts = { camera: "skipped", microphone: "skipped", speakers: "skipped", network: "skipped" };
const figures = {};
let audio = null;
let streams = [];

// ---- telling --------------------------------------------------------------------------------------

function tell(name, verdict, says, detail = "") {
  const panel = part(name);
  panel.dataset.verdict = verdict;
  const tag = document.createElement("span");
  tag.className = `tag ${COLOURS[verdict] ?? ""}`;
  tag.append(icon(SIGNS[verdict]), t(`verdict.${verdict}`));
  panel.querySelector("[data-verdict-word]").replaceChildren(tag);
  panel.querySelector("[data-says]").textContent = says;
  panel.querySelector("[data-detail]").textContent = detail;
  if (verdict === "running") return;
  verdicts[name] = verdict;
  sumUp();
}

function sumUp() {
  const told = Object.values(verdicts);
  const worst = ["bad", "weak", "good"].find((each) => told.includes(each)) ?? "none";
  at("result").hidden = document.querySelector("[data-verdict=running]") !== null;
  at("result-words").textContent = t(`result.${worst}`);
  if (at("attach")) at("attach").hidden = worst === "none";
}

/** Why a device did not open: the verdict, and what to do about it. */
function trouble(error) {
  const code = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing", OverconstrainedError: "missing", NotReadableError: "busy", AbortError: "busy" }[error.name];
  if (code === "busy") return ["bad", t("device.busy")];
  return ["skipped", code ? t(`device.${code}`) : t("device.failed", { error: error.name })];
}

async function openDevice(wanted) {
  if (!navigator.mediaDevices?.getUserMedia) throw Object.assign(new Error(), { name: "Insecure" });
  const stream = await navigator.mediaDevices.getUserMedia(wanted);
  streams.push(stream);
  return stream;
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function close(stream) {
  for (const track of stream.getTracks()) track.stop();
  streams = streams.filter((each) => each !== stream);
}

/** The devices of a kind as a choice, once the browser tells their names. */
async function offer(kind, name, chosen, again) {
  const found = (await navigator.mediaDevices.enumerateDevices()).filter((each) => each.kind === kind && each.deviceId);
  at(`${name}-choice`).hidden = found.length < 2;
  const select = at(`${name}-device`);
  select.replaceChildren(...found.map((each, index) => new Option(each.label || `${index + 1}`, each.deviceId, false, each.deviceId === chosen)));
  select.onchange = () => again(select.value);
}

const insecure = (error) => error.name === "Insecure";

// ---- camera ---------------------------------------------------------------------------------------

let picture = null;

async function testCamera(device) {
  tell("camera", "running", "");
  if (picture) close(picture);
  const video = at("camera-picture");
  try {
    picture = await openDevice({ video: { deviceId: device ? { exact: device } : undefined, width: { ideal: 1280 } } });
  } catch (error) {
    picture = null;
    video.hidden = true;
    tell("camera", ...(insecure(error) ? ["skipped", t("device.insecure")] : trouble(error)));
    return;
  }
  video.srcObject = picture;
  video.hidden = false;
  await video.play().catch(() => {});
  await pause(WATCHED);
  const [track] = picture.getVideoTracks();
  const { width = 0, height = 0, frameRate = 0, deviceId } = track.getSettings();
  Object.assign(figures, { width, height, frames_a_second: Math.round(frameRate) });
  const { bright, spread } = look(video);
  const detail = t("detail.camera", { width, height, frames: Math.round(frameRate) });
  if (bright < DARK && spread < FLAT) tell("camera", "bad", t("camera.bad"), detail);
  else if (bright < 2 * DARK || height < 360) tell("camera", "weak", t("camera.weak"), detail);
  else tell("camera", "good", t("camera.good"), detail);
  await offer("videoinput", "camera", deviceId, testCamera);
}

/** How bright the picture is (0–255), and how much its parts differ. */
function look(video) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 36];
  const paper = canvas.getContext("2d");
  paper.drawImage(video, 0, 0, 64, 36);
  const pixels = paper.getImageData(0, 0, 64, 36).data;
  const lights = [];
  for (let index = 0; index < pixels.length; index += 4) lights.push(0.3 * pixels[index] + 0.6 * pixels[index + 1] + 0.1 * pixels[index + 2]);
  const bright = lights.reduce((sum, each) => sum + each, 0) / lights.length;
  const spread = Math.sqrt(lights.reduce((sum, each) => sum + (each - bright) ** 2, 0) / lights.length);
  return { bright, spread };
}

// ---- microphone -----------------------------------------------------------------------------------

async function testMicrophone(device) {
  tell("microphone", "running", t("microphone.speak"));
  let stream;
  try {
    stream = await openDevice({ audio: { deviceId: device ? { exact: device } : undefined } });
  } catch (error) {
    tell("microphone", ...(insecure(error) ? ["skipped", t("device.insecure")] : trouble(error)));
    return;
  }
  const loudest = await listen(stream);
  const { deviceId } = stream.getAudioTracks()[0].getSettings();
  close(stream);
  at("level").value = SILENCE;
  figures.level_db = Math.round(Math.max(loudest, -120));
  const detail = t("detail.microphone", { level: figures.level_db });
  if (loudest < HARDLY) tell("microphone", "bad", t("microphone.bad"), detail);
  else if (loudest < HEARD) tell("microphone", "weak", t("microphone.weak"), detail);
  else tell("microphone", "good", t("microphone.good"), detail);
  await offer("audioinput", "microphone", deviceId, testMicrophone);
}

/** The loudest level of a few seconds in dB below full scale, shown meanwhile. */
async function listen(stream) {
  const ear = audio.createAnalyser();
  ear.fftSize = 2048;
  const source = audio.createMediaStreamSource(stream);
  source.connect(ear);
  const wave = new Float32Array(ear.fftSize);
  let loudest = -Infinity;
  const until = performance.now() + LISTENED;
  while (performance.now() < until) {
    ear.getFloatTimeDomainData(wave);
    const power = wave.reduce((sum, each) => sum + each * each, 0) / wave.length;
    const level = 10 * Math.log10(power || 1e-12);
    loudest = Math.max(loudest, level);
    at("level").value = Math.max(level, SILENCE);
    await pause(50);
  }
  source.disconnect();
  return loudest;
}

// ---- loudspeakers ---------------------------------------------------------------------------------

async function playTone() {
  wake();
  if (!audio) {
    tell("speakers", "skipped", t("speakers.none"));
    return;
  }
  await audio.resume();
  for (const [index, side] of [-1, 1].entries()) {
    const begin = audio.currentTime + index * (TONE + 0.1);
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    const place = audio.createStereoPanner();
    tone.frequency.value = index ? 660 : 440;
    place.pan.value = side;
    // Without a slope at both ends the tone cracks.
    volume.gain.setValueAtTime(0, begin);
    volume.gain.linearRampToValueAtTime(0.4, begin + 0.05);
    volume.gain.setValueAtTime(0.4, begin + TONE - 0.1);
    volume.gain.linearRampToValueAtTime(0, begin + TONE);
    tone.connect(volume).connect(place).connect(audio.destination);
    tone.start(begin);
    tone.stop(begin + TONE);
  }
  part("speakers").querySelector("[data-says]").textContent = t("speakers.ask");
  at("heard").hidden = false;
}

function wake() {
  const Context = window.AudioContext;
  if (!audio && Context) audio = new Context();
}

// ---- the line -------------------------------------------------------------------------------------

function showFigure(name, value) {
  const place = document.querySelector(`[data-figure=${name}]`);
  if (!place) return;
  if (value === null) place.textContent = t("figure.none");
  else place.textContent = t(name.endsWith("_ms") ? "unit.ms" : "unit.mbits", { value: new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: name.endsWith("_ms") ? 0 : 1 }).format(value) });
  if (value !== null) figures[name] = Math.round(value * 100) / 100;
}

async function testNetwork() {
  tell("network", "running", "");
  at("figures").hidden = false;
  const says = part("network").querySelector("[data-says]");
  const tellWait = (seconds) => {
    says.textContent = t("network.busy", { seconds: Math.ceil(seconds) });
  };
  try {
    for (const [name, value] of Object.entries(await roundTrips(tellWait))) showFigure(name, value);
    showFigure("download_mbits", Math.min(await download(island.down, tellWait), 100_000));
    showFigure("upload_mbits", Math.min(await upload(island.up, csrfToken(), tellWait), 100_000));
  } catch (error) {
    if (error instanceof Busy) tell("network", "skipped", t("network.later"));
    else tell("network", "bad", t("network.cut"));
    return;
  }
  let line = 0;
  if (island.meeting) {
    line = await liveLine(island.meeting, island.scope);
    showFigure("live_line_ms", line);
  }
  const verdict = judge();
  if (line === null) tell("network", verdict === "bad" ? "bad" : "weak", t("network.socket"));
  else tell("network", verdict, t(`network.${verdict}`));
}

function judge() {
  const fits = (index) =>
    Object.entries(LIMITS).every(([name, limits]) => (name.endsWith("_ms") ? figures[name] <= limits[index] : figures[name] >= limits[index]));
  if (fits(0)) return "good";
  return fits(1) ? "weak" : "bad";
}

// ---- the whole ------------------------------------------------------------------------------------

at("start").addEventListener("click", async ({ currentTarget: start }) => {
  if (start.getAttribute("aria-disabled")) return;
  start.setAttribute("aria-disabled", "true");
  wake();
  await audio?.resume();
  // One after the other: two questions of the browser at once confuse, and the picture takes from the line.
  await testCamera();
  await testMicrophone();
  await testNetwork();
  start.removeAttribute("aria-disabled");
});

at("tone").addEventListener("click", playTone);
at("heard").addEventListener("click", (event) => {
  const verdict = event.target.closest("[data-heard]")?.dataset.heard;
  if (verdict) tell("speakers", verdict, t(`speakers.${verdict}`));
});

at("attach")?.addEventListener("click", async ({ currentTarget: button }) => {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  const where = `/check-in/${island.meeting}/${island.point}/line-test`;
  try {
    const answer = await send(`${where}/measured`, {
      body: JSON.stringify({ verdicts, figures, browser: navigator.userAgent.slice(0, 300) }),
      headers: { "content-type": "application/json", accept: "application/json" },
    });
    if (answer.ok) {
      location.assign(where);
      return;
    }
    const { detail = answer.status } = await answer.json().catch(() => ({}));
    at("attach-message").replaceChildren(notice("danger", t("attach.failed", { reason: detail })));
  } catch {
    at("attach-message").replaceChildren(notice("warning", t("attach.cut")));
  }
  button.removeAttribute("aria-disabled");
});

addEventListener("pagehide", () => streams.forEach(close));
