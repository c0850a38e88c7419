import bodyParser from 'body-parser';
import { InvalidRequest, RejectedRequest } from './rejection.mjs';

const JSON_TYPES = new Set(['application/json', 'application/cloudevents+json', 'application/cloudevents-batch+json']);
const FORM_TYPE = 'application/x-www-form-urlencoded';
// `type/subtype`, and at most a charset after it.
const CONTENT_TYPE = /^\s*([^\s;]+)\s*(?:;\s*charset\s*=\s*"?([^\s";]+)"?\s*)?;?\s*$/i;

// Reads a request's body into request.body: JSON and forms parsed, `text/*` as a string, all else as a
// Buffer, `{}` without one. A multipart body stays unread, for the parser of the user's choice. What is
// neither compressed nor in another charset than UTF-8 is read here; the rest, and forms, by body-parser.
export function createBodyReader(limitMegabytes) {
  const limit = limitMegabytes * 1024 * 1024;
  const any = { type: () => true, limit };
  const parsers = {
    json: bodyParser.json({ ...any, strict: false }),
    text: bodyParser.text(any),
    form: bodyParser.urlencoded({ ...any, extended: true }),
    raw: bodyParser.raw(any),
  };
  const tooLarge = () => new RejectedRequest(413,
    `Request body is larger than ${limitMegabytes} MB, which is the limit of this Function (REQ_MB_LIMIT)`);

  return (request, response, done) => {
    const { headers } = request;
    request.body = {};
    if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return done();

    const { kind, utf8 } = classify(headers['content-type']);
    if (kind === 'multipart') return done();
    if (headers['content-encoding'] === undefined && utf8 && kind !== 'form') {
      return collect(request, limit, tooLarge, (error, bytes) => {
        if (error) return done(error);
        try {
          request.body = parse(kind, bytes);
        } catch (cause) {
          return done(new InvalidRequest(`Request body is not valid JSON: ${cause.message}`));
        }
        return done();
      });
    }
    return parsers[kind](request, response, (error) => done(error?.type === 'entity.too.large' ? tooLarge() : error));
  };
}

function classify(contentType) {
  // Most of all bodies, without a look at their parts.
  if (contentType === 'application/json') return { kind: 'json', utf8: true };
  if (contentType === undefined) return { kind: 'raw', utf8: true };

  const [, type, charset] = CONTENT_TYPE.exec(contentType) ?? [undefined, contentType.split(';', 1)[0].trim(), 'unknown'];
  const kind = kindOf(type.toLowerCase());
  return { kind, utf8: kind === 'raw' || charset === undefined || charset.toLowerCase() === 'utf-8' };
}

function kindOf(type) {
  if (JSON_TYPES.has(type)) return 'json';
  if (type === FORM_TYPE) return 'form';
  if (type.startsWith('text/')) return 'text';
  if (type.startsWith('multipart/')) return 'multipart';
  return 'raw';
}

function parse(kind, bytes) {
  if (kind === 'raw') return bytes;
  const text = withoutByteOrderMark(bytes.toString());
  if (kind === 'text') return text;
  return text === '' ? {} : JSON.parse(text);
}

function withoutByteOrderMark(text) {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

// Of a body that is too large the rest is read and dropped: a client that still sends would not see the answer.
function collect(request, limit, tooLarge, done) {
  let first;
  let chunks;
  let length = 0;
  request.on('data', (chunk) => {
    length += chunk.length;
    if (length > limit) first = chunks = undefined;
    else if (!first) first = chunk;
    else (chunks ??= [first]).push(chunk);
  });
  request.on('end', () => {
    if (length > limit) done(tooLarge());
    else if (chunks) done(undefined, Buffer.concat(chunks, length));
    else done(undefined, first ?? Buffer.alloc(0));
  });
  // The client is gone, and with it who would read an answer.
  request.on('error', () => {});
}
