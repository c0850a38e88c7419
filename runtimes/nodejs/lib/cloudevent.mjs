import { randomUUID } from 'node:crypto';
import { InvalidRequest } from './rejection.mjs';

// CloudEvents over HTTP, both ways. Not by the SDK, which user code may require nevertheless: the
// first event of a pod would wait for it, and its checks differ from what Functions accept.
export const STRUCTURED = 'application/cloudevents+json';
const SPEC_VERSION = '1.0';

export function isCloudEvent(request) {
  return isStructured(request) || Boolean(request.get('ce-type') && request.get('ce-source'));
}

export function readCloudEvent(request) {
  const event = isStructured(request) ? readStructured(request) : readBinary(request);
  return {
    'ce-type': event.type,
    'ce-source': event.source,
    'ce-eventtypeversion': event.eventtypeversion,
    'ce-specversion': event.specversion || SPEC_VERSION,
    'ce-id': event.id || randomUUID(),
    'ce-time': normalTime(event.time),
    'ce-datacontenttype': event.datacontenttype,
    data: event.data,
  };
}

export function createCloudEvent(type, source, data, attributes) {
  for (const [name, value] of Object.entries({ type, source })) {
    if (typeof value !== 'string' || !value) {
      throw new TypeError(`emitCloudEvent: ${name} has to be a string which is not empty`);
    }
  }
  return {
    id: randomUUID(),
    time: new Date().toISOString(),
    type,
    source,
    specversion: SPEC_VERSION,
    datacontenttype: contentTypeOf(data),
    ...attributes,
    ...(data instanceof Uint8Array ? { data_base64: Buffer.from(data).toString('base64') } : { data }),
  };
}

// For buildResponseCloudEvent: an answer speaks as the event which it answers. Absent headers stay out.
export function attributesForReply(request) {
  const attributes = {
    source: request.get('ce-source'),
    eventtypeversion: request.get('ce-eventtypeversion'),
    specversion: request.get('ce-specversion'),
  };
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

export function contentTypeOf(data) {
  if (typeof data === 'string') return 'text/plain';
  if (data instanceof Uint8Array) return 'application/octet-stream';
  return data === undefined ? undefined : 'application/json';
}

function isStructured(request) {
  return Boolean(request.is(STRUCTURED));
}

function readStructured(request) {
  const event = request.body;
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    throw new InvalidRequest(`Invalid CloudEvent: the body of ${STRUCTURED} has to be a JSON object`);
  }
  if (event.data !== undefined || typeof event.data_base64 !== 'string') return event;
  return { ...event, data: Buffer.from(event.data_base64, 'base64') };
}

function readBinary(request) {
  const header = (name) => request.get(`ce-${name}`);
  if (!header('id')) {
    throw new InvalidRequest('Invalid CloudEvent: header ce-id is missing or empty, send it with ce-type and ce-source');
  }
  return {
    type: header('type'),
    source: header('source'),
    eventtypeversion: header('eventtypeversion'),
    specversion: header('specversion'),
    id: header('id'),
    time: header('time'),
    datacontenttype: request.get('content-type'),
    data: request.body,
  };
}

function normalTime(time) {
  const date = time ? new Date(time) : new Date();
  return (Number.isNaN(date.getTime()) ? new Date() : date).toISOString();
}
