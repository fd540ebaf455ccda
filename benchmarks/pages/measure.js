// Owns the measuring page: one session with one server, camera messages out, a small grey copy of every presented frame in.
// It draws no conclusions; benchmarks/probes.py does. Times are wall-clock milliseconds.
import {adapters} from './signalling.js';

const video = document.querySelector('video');
const now = () => performance.timeOrigin + performance.now();
const wall = t => t === undefined ? null : performance.timeOrigin + t;
const sleep = ms => new Promise(done => setTimeout(done, ms));
const GATHER_MS = 3000, OPEN_MS = 30000, FIRST_FRAME_MS = 60000;
const MAX_FRAMES = 60000, MAX_NOTES = 60000, MAX_SAMPLES = 6000;  // bounds of one recording

const state = {peer: null, end: () => {}, camera: null, seq: 0, sent: [], notes: [], frames: [], last: null, changed: 0};

const SAMPLES = 8;  // read across and down a cell, at most

/**
 * Returns what reads a picture as `columns` × `rows` cells of the probe's rectangle, which is given for pictures `across`
 * pixels wide: each cell its mean grey, from the decoder's luma. A canvas would convert whole pictures to RGB for it, some
 * 6 ms of the processor that browser and server share.
 */
function reader({x, y, width, height, columns, rows}, across) {
  let luma = new Uint8Array(0);
  return async () => {
    const frame = new VideoFrame(video);
    try {
      if (!/^(I420|NV12)/.test(frame.format)) throw new Error(`the decoder gives ${frame.format}, not I420 or NV12`);
      const scale = frame.visibleRect.width / across;  // the first pictures may come before the viewport's size is known
      const rect = evenly(x * scale, y * scale, width * scale, height * scale);
      const octets = frame.allocationSize({rect});
      if (luma.length < octets) luma = new Uint8Array(octets);
      const [{offset, stride}] = await frame.copyTo(luma, {rect});
      return means(luma.subarray(offset), stride, rect, columns, rows, frame.colorSpace.fullRange ? [0, 255] : [16, 219]);
    } finally {
      frame.close();
    }
  };
}

/** The even numbers around a rectangle: chroma has half the size. */
function evenly(x, y, width, height) {
  const [left, top] = [2 * Math.floor(x / 2), 2 * Math.floor(y / 2)];
  return {x: left, y: top, width: 2 * Math.ceil((x + width) / 2) - left, height: 2 * Math.ceil((y + height) / 2) - top};
}

function means(luma, stride, {width, height}, columns, rows, [black, span]) {
  const grey = new Uint8ClampedArray(columns * rows);
  const [right, down] = [Math.ceil(width / columns / SAMPLES), Math.ceil(height / rows / SAMPLES)];
  for (let row = 0, i = 0; row < rows; row++) {
    const [top, bottom] = [Math.floor(row * height / rows), Math.ceil((row + 1) * height / rows)];
    for (let column = 0; column < columns; column++, i++) {
      const [left, end] = [Math.floor(column * width / columns), Math.ceil((column + 1) * width / columns)];
      let sum = 0, count = 0;
      for (let y = top; y < bottom; y += down) for (let x = left; x < end; x += right, count++) sum += luma[y * stride + x];
      grey[i] = (sum / count - black) * 255 / span;
    }
  }
  return grey;
}

function differs(a, b, levels = 3) {
  for (let i = 0; i < a.length; i++) if (Math.abs(a[i] - b[i]) >= levels) return true;
  return false;
}

function watch(read) {
  const onFrame = async (_, meta) => {
    const time = now();
    video.requestVideoFrameCallback(onFrame);
    const grey = await read();  // resolved in the order of the calls: the pictures are in memory
    if (!state.last || differs(grey, state.last)) { state.changed = time; state.last = grey; }
    if (state.frames.length < MAX_FRAMES) {
      state.frames.push({time, received: wall(meta.receiveTime), rtp: meta.rtpTimestamp ?? null, grey});
    }
  };
  video.requestVideoFrameCallback(onFrame);
}

async function gathered(peer) {
  const complete = new Promise(done => {
    const check = () => peer.iceGatheringState === 'complete' && done();
    peer.addEventListener('icegatheringstatechange', check);
    check();
  });
  await Promise.race([complete, sleep(GATHER_MS)]);
}

function preferred(codec) {
  const codecs = RTCRtpReceiver.getCapabilities('video').codecs;
  const wanted = codecs.filter(c => c.mimeType.toLowerCase() === `video/${codec}`);
  if (!wanted.length) throw new Error(`this browser cannot decode ${codec}`);
  return wanted.concat(codecs.filter(c => /\/rtx$/i.test(c.mimeType)));
}

function within(promise, ms, what) {
  const late = sleep(ms).then(() => { throw new Error(`no ${what} within ${ms} ms`); });
  return Promise.race([promise, late]);
}

/** Resolves with the time at which an event of the peer made `test` true. */
function moment(peer, event, test) {
  return new Promise(done => peer.addEventListener(event, () => test() && done(now())));
}

/**
 * Opens the session; resolves when the first frame was presented. Returns milliseconds, `gather` and `from_click` since
 * the click, all others since the POST; `packets` is when the last packet of the first frame had come.
 */
async function connect(config) {
  video.width = config.width; video.height = config.height;
  const peer = state.peer = new RTCPeerConnection();
  const receive = peer.addTransceiver('video', {direction: 'recvonly'});
  receive.setCodecPreferences(preferred(config.codec));
  state.camera = peer.createDataChannel('camera', {ordered: false, maxRetransmits: 0});
  const control = peer.createDataChannel('control');
  control.onmessage = event => state.notes.length < MAX_NOTES && state.notes.push({time: now(), ...JSON.parse(event.data)});
  control.onopen = () => {
    control.send(JSON.stringify({type: 'hello', version: 1}));
    control.send(JSON.stringify({type: 'viewport', width: config.width, height: config.height}));
  };
  peer.ontrack = event => { video.srcObject = new MediaStream([event.track]); watch(reader(config.probe, config.width)); };
  const opened = new Promise(done => { state.camera.onopen = () => done(now()); });
  const linked = moment(peer, 'iceconnectionstatechange', () => /connected|completed/.test(peer.iceConnectionState));
  const secured = moment(peer, 'connectionstatechange', () => peer.connectionState === 'connected');
  const click = now();
  await peer.setLocalDescription(await peer.createOffer());
  await gathered(peer);
  const post = now();
  const {sdp, end} = await adapters[config.adapter](peer.localDescription.sdp, config);
  state.end = end;
  const answer = now();
  await peer.setRemoteDescription({type: 'answer', sdp});
  const open = await within(opened, OPEN_MS, 'open data channel');
  const [ice, connected] = await within(Promise.all([linked, secured]), OPEN_MS, 'connection');
  send(config.pose);
  await within((async () => { while (!state.frames.length) await sleep(2); })(), FIRST_FRAME_MS, 'frame');
  const first = state.frames[0].time, packets = state.frames[0].received ?? first;
  const since = {answer, ice, connected, open, packets, first_frame: first};
  const setup = Object.fromEntries(Object.entries(since).map(([name, time]) => [name, time - post]));
  return {gather: post - click, ...setup, from_click: first - click};
}

/** pose: [theta°, phi°, radius m, target x, y, z m, fov°] */
function send(pose) {
  const [theta, phi, radius, x, y, z, fov] = pose;
  const seq = ++state.seq;
  const text = JSON.stringify({type: 'camera', seq, orbit: [theta, phi, radius], target: [x, y, z], fov});
  const time = now();
  state.camera.send(text);
  state.sent.push({seq, time});
}

/** Waits until the picture has not changed for `quiet` ms, at most `limit` ms. */
async function settle({quiet, limit}) {
  const start = now();
  while (now() - Math.max(start, state.changed) < quiet && now() - start < limit) await sleep(10);
  return now() - start;
}

/** Jumps from pose to pose, each after the picture came to rest and a random wait that is not in step with any clock. */
async function steps({poses, waits, quiet, limit, contrast}) {
  for (let i = 0; i < poses.length; i++) {
    await sleep(waits[i]);
    const old = state.last, start = now();
    send(poses[i]);
    while (!differs(state.last, old, contrast) && now() - start < limit) await sleep(5);
    await settle({quiet, limit});
  }
}

/**
 * Sends poses at the given times (ms from now), as a drag does. Returns the receiver's statistics before and after, and
 * with `every` also each so many ms in between, with the times.
 */
async function drag({poses, at, every}) {
  const before = await stats(), start = now(), samples = [];
  const look = async () => samples.push({time: now(), ...(await stats()).inbound});
  const clock = every && setInterval(() => samples.length < MAX_SAMPLES && look(), every);
  for (let i = 0; i < poses.length; i++) {
    const wait = start + at[i] - now();
    if (wait > 0) await sleep(wait);
    send(poses[i]);
  }
  clearInterval(clock);
  return {before, after: await stats(), samples};
}

async function stats() {
  const report = {};
  for (const entry of (await state.peer.getStats()).values()) {
    if (entry.type === 'inbound-rtp' && entry.kind === 'video') report.inbound = entry;
    if (entry.type === 'codec' && entry.mimeType.startsWith('video')) report.codec = entry.mimeType;
  }
  return report;
}

function base64(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}

/** Forgets everything recorded so far, but for the frame that still stands. */
function forget() {
  state.frames = state.frames.slice(-1); state.sent = []; state.notes = [];
}

/** Hands over what was recorded, then forgets it. */
function take() {
  const frames = state.frames, size = frames.length ? frames[0].grey.length : 0;
  const pictures = new Uint8Array(frames.length * size);
  frames.forEach((frame, i) => pictures.set(frame.grey, i * size));
  const column = key => frames.map(frame => frame[key]);
  const out = {times: column('time'), received: column('received'), rtp: column('rtp'),
    pictures: base64(pictures), sent: state.sent, notes: state.notes, now: now()};
  forget();
  return out;
}

const size = () => [video.videoWidth, video.videoHeight];

function close() { state.peer?.close(); return state.end(); }

window.bench = {connect, settle, steps, drag, forget, take, size, close, now};
