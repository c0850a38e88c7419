import bodyParser from 'body-parser';

// The first parser which takes the content type wins. A multipart body stays unread, for the parser
// of the user's choice on event.extensions.request.
export function parseBody(limit) {
  return [
    bodyParser.json({ type: ['application/json', 'application/cloudevents+json'], strict: false, limit }),
    bodyParser.text({ type: 'text/*', limit }),
    bodyParser.urlencoded({ extended: true, limit }),
    bodyParser.raw({ type: (request) => !request.is('multipart/*'), limit }),
  ];
}
