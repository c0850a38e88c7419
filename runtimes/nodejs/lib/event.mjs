import { attributesForReply, contentTypeOf, isCloudEvent, readCloudEvent } from './cloudevent.mjs';

// The first argument of every handler. Its keys and their order are what handlers have seen so far.
export function createEvent(request, response, { tracer, publisher }) {
  const event = {
    tracer,
    extensions: { request, response },
    setResponseHeader: (name, value) => response.set(name, value),
    setResponseContentType: (type) => response.type(type),
    setResponseStatus: (status) => response.status(status),
    publishCloudEvent: (data) => publisher.publish(data),
    buildResponseCloudEvent: (id, type, data) => ({ ...attributesForReply(request), type, id, data, datacontenttype: contentTypeOf(data) }),
    emitCloudEvent: (type, source, data, attributes) => publisher.emit(type, source, data, attributes),
  };
  if (isCloudEvent(request)) Object.assign(event, readCloudEvent(request));
  else if (!request.is('multipart/*')) event.data = request.body;
  return event;
}
