// The floor: node:http and nothing else, answering what the Functions of function/ answer.
import http from 'node:http';

const text = (response) => {
  response.end('hello');
};
const echo = (request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk) => { body += chunk; });
  request.on('end', () => {
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.end(JSON.stringify(JSON.parse(body)));
  });
};
// 5 MB for each call, to see what stays of them.
const large = (response) => {
  response.end(Buffer.alloc(5 * 1024 * 1024, 'x'));
};

http.createServer((request, response) => {
  if (request.url === '/json') echo(request, response);
  else if (request.url === '/large') large(response);
  else text(response);
}).listen(process.env.FUNC_PORT);
