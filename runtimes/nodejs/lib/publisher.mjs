import { createCloudEvent, STRUCTURED } from './cloudevent.mjs';

// Sends events to the cluster's event publisher.
export function createPublisher(address) {
  return {
    async emit(type, source, data, attributes) {
      return post(createCloudEvent(type, source, data, attributes));
    },
    async publish(event) {
      console.warn('"publishCloudEvent" is deprecated, use "emitCloudEvent"');
      return post(event);
    },
  };

  async function post(event) {
    if (!address) throw new Error('send CloudEvent: PUBLISHER_PROXY_ADDRESS is not set, so there is nowhere to send it to');
    // By axios, since handlers read its response and its errors; on demand, since most emit nothing.
    const { default: axios } = await import('axios');
    return axios.post(address, JSON.stringify(event), { headers: { 'Content-Type': `${STRUCTURED}; charset=utf-8` } });
  }
}
