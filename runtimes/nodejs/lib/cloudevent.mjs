import { InvalidRequest } from './rejection.mjs';

// CloudEvents over HTTP, both ways, by the official SDK. It is loaded with the first event, since most
// Functions never see one.
const STRUCTURED = 'application/cloudevents+json';
const BATCH = 'application/cloudevents-batch+json';
const VERSIONS = ['1.0', '0.3'];
// The attributes that a version of the specification defines; extensions are not judged.
const DEFINED = ['id', 'type', 'source', 'specversion', 'time', 'subject', 'datacontenttype', 'dataschema'];

export function isCloudEvent({ headers }) {
  return isOfType(headers, 'application/cloudevents') || headers['ce-specversion'] !== undefined
    || (headers['ce-type'] !== undefined && headers['ce-source'] !== undefined);
}

// The events of a request, one unless it is a batch, as the properties that a handler's event has of them.
export async function readCloudEvents(request) {
  const { headers, body } = request;
  const sdk = await import('cloudevents');
  if (isOfType(headers, BATCH)) {
    if (!Array.isArray(body)) throw malformed(`the body of ${BATCH} has to be a JSON array`);
    return body.map((event, i) => within(`event ${i + 1} of the batch`, () => readStructured(sdk, event)));
  }
  if (isOfType(headers, STRUCTURED)) return [readStructured(sdk, body)];
  return [readBinary(sdk, headers, body)];
}

// An event as it is sent: structured, so that its attributes are in the body.
export async function writeCloudEvent(type, source, data, attributes) {
  const { CloudEvent, HTTP } = await import('cloudevents');
  try {
    return HTTP.structured(new CloudEvent({ type, source, data, datacontenttype: contentTypeOf(data), ...attributes }));
  } catch (error) {
    throw new TypeError(`emitCloudEvent: ${reasonOf(error)}`);
  }
}

// For buildResponseCloudEvent: an answer speaks as the event which it answers. Absent headers stay out.
export function attributesForReply({ headers }) {
  const attributes = {
    source: headers['ce-source'],
    eventtypeversion: headers['ce-eventtypeversion'],
    specversion: headers['ce-specversion'],
  };
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

export function contentTypeOf(data) {
  if (typeof data === 'string') return 'text/plain';
  if (data instanceof Uint8Array) return 'application/octet-stream';
  return data === undefined ? undefined : 'application/json';
}

function isOfType(headers, type) {
  const { 'content-type': contentType } = headers;
  return contentType !== undefined && contentType.trimStart().toLowerCase().startsWith(type);
}

function readStructured(sdk, payload) {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) {
    throw malformed(`the body of ${STRUCTURED} has to be a JSON object`);
  }
  const event = parse(sdk, { headers: { 'content-type': STRUCTURED }, body: payload });
  // Senders have left the source out, and got through.
  validate(sdk, event, { source: event.source ?? '/' });
  const data = typeof payload.data_base64 === 'string' ? Buffer.from(payload.data_base64, 'base64') : payload.data;
  return properties(event, data);
}

function readBinary(sdk, headers, body) {
  for (const name of ['id', 'type', 'source']) {
    if (!headers[`ce-${name}`]) throw malformed(`header ce-${name} is missing or empty; ce-id, ce-type and ce-source are required`);
  }
  // Of the body, which is parsed already, the SDK would parse strings once more.
  const event = parse(sdk, { headers });
  validate(sdk, event, {});
  return properties(event, body);
}

function parse({ HTTP }, message) {
  try {
    return HTTP.toEvent(message);
  } catch (error) {
    throw malformed(reasonOf(error));
  }
}

function validate({ CloudEvent, V1 }, event, substitutes) {
  if (!VERSIONS.includes(event.specversion)) {
    throw malformed(`specversion ${JSON.stringify(event.specversion)} is not supported; use ${VERSIONS.join(' or ')}`);
  }
  const defined = Object.fromEntries(DEFINED.map((name) => [name, event[name]]));
  try {
    // There is no schema of 0.3; what both define, they define alike.
    new CloudEvent({ ...defined, ...substitutes, specversion: V1 });
  } catch (error) {
    throw malformed(reasonOf(error));
  }
}

function properties(event, data) {
  return {
    'ce-type': event.type,
    'ce-source': event.source,
    'ce-eventtypeversion': event.eventtypeversion,
    'ce-specversion': event.specversion,
    'ce-id': event.id,
    'ce-time': new Date(event.time).toISOString(),
    'ce-datacontenttype': event.datacontenttype,
    data,
  };
}

function malformed(reason) {
  return new InvalidRequest(`Invalid CloudEvent: ${reason}`);
}

function within(place, work) {
  try {
    return work();
  } catch (error) {
    throw new InvalidRequest(`${error.message}, in ${place}`);
  }
}

// The SDK's errors have the findings of its schema; `/source must match format "uri-reference"` says enough.
function reasonOf(error) {
  const findings = (error.errors ?? []).filter((finding) => finding?.message);
  if (findings.length === 0) return error.message.split('\n', 1)[0];
  return findings.map(({ instancePath, message }) => `${instancePath.slice(1) || 'it'} ${message}`).join(', ');
}
