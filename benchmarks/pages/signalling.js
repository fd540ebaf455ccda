// Owns how an offer reaches each kind of server. Both open the same two data channels and take the same camera message.

/** WHEP: the offer as it is, the answer as it is. Returns {sdp, end()}. */
async function whep(offer, {path}) {
  const answer = await fetch(path, {method: 'POST', headers: {'content-type': 'application/sdp'}, body: offer});
  if (answer.status !== 201) throw new Error(`${path}: HTTP ${answer.status} ${await answer.text()}`);
  const session = answer.headers.get('location');
  return {sdp: await answer.text(), end: () => session && fetch(session, {method: 'DELETE', keepalive: true})};
}

/** The plain stack: JSON around the offer and the answer. */
async function plain(offer, {path, width, height}) {
  const body = JSON.stringify({sdp: offer, type: 'offer', width, height});
  const answer = await fetch(path, {method: 'POST', headers: {'content-type': 'application/json'}, body});
  if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status} ${await answer.text()}`);
  return {sdp: (await answer.json()).sdp, end: () => {}};
}

export const adapters = {whep, plain};
