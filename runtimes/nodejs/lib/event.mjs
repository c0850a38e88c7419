import { attributesForReply, contentTypeOf } from './cloudevent.mjs';

// The first argument of every handler. Its keys and their order are what handlers have seen so far.
export function createEvent(request, response, { tracer, publisher }, cloudEvent) {
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
  if (cloudEvent) Object.assign(event, cloudEvent);
  else if (!isMultipart(request)) event.data = request.body;
  return event;
}

function isMultipart({ headers }) {
  return /^\s*multipart\//i.test(headers['content-type'] ?? '');
}
