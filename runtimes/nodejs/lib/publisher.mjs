import { setTimeout as sleep } from 'node:timers/promises';
import { writeCloudEvent } from './cloudevent.mjs';

const CONTENT_TYPE = 'application/cloudevents+json; charset=utf-8';
const LONGEST_TIMEOUT_MS = 10_000;
// A publisher that is being replaced: long enough for the next connection to find another of its Pods.
const RETRY_AFTER_MS = 100;
const CONNECTION_ERRORS = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN']);

// Sends events to the cluster's event publisher.
export function createPublisher({ publisher: address, timeoutMs }) {
  // A handler that waits for longer is answered for.
  const timeout = Math.min(LONGEST_TIMEOUT_MS, timeoutMs || LONGEST_TIMEOUT_MS);

  return {
    async emit(type, source, data, attributes) {
      const { headers, body } = await writeCloudEvent(type, source, data, attributes);
      return post(body, headers);
    },
    async publish(event) {
      console.warn('"publishCloudEvent" is deprecated, use "emitCloudEvent"');
      return post(JSON.stringify(event), { 'content-type': CONTENT_TYPE });
    },
  };

  async function post(body, headers) {
    if (!address) throw new Error('send CloudEvent: PUBLISHER_PROXY_ADDRESS is not set, so there is nowhere to send it to');
    // By axios, since handlers read its response and its errors; on demand, since most emit nothing.
    const { default: axios } = await import('axios');
    const send = () => axios.post(address, body, { headers, timeout });
    try {
      return await send();
    } catch (error) {
      if (error.response || !CONNECTION_ERRORS.has(error.code)) throw error;
      // The same event, with the same id, should the first one have arrived after all.
      await sleep(RETRY_AFTER_MS);
      return send();
    }
  }
}
